"""Doors that are for this machine alone."""

from flask import abort, request

LOOPBACK = ("127.0.0.1", "::1")


def only_this_machine() -> None:
    """Nobody from elsewhere, and nobody that a proxy on this machine speaks for."""
    is_forwarded = any(name in request.headers for name in ("Forwarded", "X-Forwarded-For"))
    if request.remote_addr not in LOOPBACK or is_forwarded:
        abort(404)
