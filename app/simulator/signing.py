"""How the two protocols sign."""

import hashlib
import hmac
import json
from collections.abc import Mapping

from app.core.crypto import Secret


def plain(key: Secret, fields: Mapping[str, str]) -> str:
    """HMAC-SHA256 over the fields that are not empty, sorted, `k=v` joined with `&`."""
    signed = sorted((name, value) for name, value in fields.items() if name != "sign" and value)
    text = "&".join(f"{name}={value}" for name, value in signed)
    return hmac.new(key.reveal().encode(), text.encode(), "sha256").hexdigest()


def fulu_secret(key: Secret) -> Secret:
    """Fulu's AppSecret has exactly 32 characters."""
    return Secret(key.reveal()[:32])


def fulu(secret: Secret, fields: Mapping[str, object]) -> str:
    """MD5 over the sorted characters of the compact JSON, then the secret."""
    signed = {name: value for name, value in fields.items() if name != "sign"}
    text = json.dumps(signed, ensure_ascii=False, separators=(",", ":"))
    whole = f"{''.join(sorted(text))}{secret.reveal()}".encode("utf-8", "surrogatepass")
    return hashlib.md5(whole).hexdigest()  # noqa: S324  theirs
