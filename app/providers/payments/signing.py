"""How the sandbox channel and its merchants sign what they send: shared by both sides.

HMAC-SHA256 over the lines METHOD, PATH, timestamp, nonce and body. Messages older than five
minutes are not believed.
"""

import hmac
import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

WINDOW = timedelta(minutes=5)
TIMESTAMP, NONCE, SIGNATURE = "Sandbox-Timestamp", "Sandbox-Nonce", "Sandbox-Signature"


def sign(key: str, method: str, path: str, timestamp: str, nonce: str, body: bytes) -> str:
    """The signature in lower-case hexadecimal."""
    head = "\n".join((method, path, timestamp, nonce)).encode()
    return hmac.new(key.encode(), head + b"\n" + body, "sha256").hexdigest()


def headers(key: str, method: str, path: str, body: bytes, now: datetime) -> dict[str, str]:
    """The three headers of a signed message."""
    timestamp, nonce = str(int(now.timestamp())), secrets.token_hex(8)
    return {
        TIMESTAMP: timestamp,
        NONCE: nonce,
        SIGNATURE: sign(key, method, path, timestamp, nonce, body),
    }


def is_genuine(
    keys: Sequence[str], method: str, path: str, given: Mapping[str, str], body: bytes,
    now: datetime,
) -> bool:
    """Whether one of the keys signed it within the window. No key: nothing is genuine."""
    found = {name.lower(): value for name, value in given.items()}
    timestamp, nonce = found.get(TIMESTAMP.lower(), ""), found.get(NONCE.lower(), "")
    signature = found.get(SIGNATURE.lower(), "")
    if not timestamp.isascii() or not timestamp.isdigit() or len(timestamp) > 12:
        return False
    if abs(now.timestamp() - int(timestamp)) > WINDOW.total_seconds():
        return False
    return any(
        hmac.compare_digest(sign(key, method, path, timestamp, nonce, body).encode(),
                            signature.encode())
        for key in keys
        if key
    )


def sign_fields(key: str, fields: Mapping[str, str]) -> str:
    """The signature of a set of fields, such as a pay page's query: sorted, `name=value` lines."""
    text = "\n".join(f"{name}={fields[name]}" for name in sorted(fields))
    return hmac.new(key.encode(), text.encode(), "sha256").hexdigest()
