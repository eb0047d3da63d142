"""Addresses that are called back."""

from urllib.parse import urlsplit


def is_web(url: str) -> bool:
    """Whether it is a full http(s) address."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and parts.netloc.isascii() and bool(parts.hostname)
