"""How the sandbox channel and its merchants sign what they send: shared by both sides.

HMAC-SHA256 over the lines METHOD, PATH, timestamp, nonce and body. Messages older than five
minutes are not believed. An answer is signed as method `RESPONSE` over the signature of the
request it answers, so that it cannot be passed off as the answer to another one.
"""

import hmac
import re
import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from urllib.parse import urlencode

from app.core.crypto import Secret

WINDOW = timedelta(minutes=5)
TIMESTAMP, NONCE, SIGNATURE = "Sandbox-Timestamp", "Sandbox-Nonce", "Sandbox-Signature"

IS_TIMESTAMP = re.compile(r"[0-9]{1,12}")
IS_NONCE = re.compile(r"[0-9a-f]{16,64}")
IS_SIGNATURE = re.compile(r"[0-9a-f]{64}")


def keys_of(text: str) -> list[Secret]:
    """One key, or two with a comma between while the old one is replaced: the first one signs.

    Raises ValueError when there is none: an empty key would make everybody a merchant.
    """
    keys = [Secret(part.strip()) for part in text.split(",") if part.strip()]
    if not keys:
        raise ValueError("the sandbox channel needs a key")
    return keys


def sign(key: Secret, method: str, path: str, timestamp: str, nonce: str, body: bytes) -> str:
    """The signature in lower-case hexadecimal."""
    head = "\n".join((method, path, timestamp, nonce, "")).encode()
    return _hmac(key, head + body)


def headers(key: Secret, method: str, path: str, body: bytes, now: datetime) -> dict[str, str]:
    """The three headers of a signed message."""
    timestamp, nonce = str(int(now.timestamp())), secrets.token_hex(8)
    return {
        TIMESTAMP: timestamp,
        NONCE: nonce,
        SIGNATURE: sign(key, method, path, timestamp, nonce, body),
    }


def is_genuine(
    keys: Sequence[Secret],
    method: str,
    path: str,
    given: Mapping[str, str],
    body: bytes,
    now: datetime,
) -> bool:
    """Whether one of the keys signed it within the window. No key: nothing is genuine."""
    found = {name.lower(): value for name, value in given.items()}
    timestamp, nonce, signature = (
        found.get(name.lower(), "") for name in (TIMESTAMP, NONCE, SIGNATURE)
    )
    if not (
        IS_TIMESTAMP.fullmatch(timestamp)
        and IS_NONCE.fullmatch(nonce)
        and IS_SIGNATURE.fullmatch(signature)
    ):
        return False
    if abs(now.timestamp() - int(timestamp)) > WINDOW.total_seconds():
        return False
    return any(
        hmac.compare_digest(sign(key, method, path, timestamp, nonce, body), signature)
        for key in keys
    )


def sign_fields(key: Secret, fields: Mapping[str, str]) -> str:
    """The signature of a set of fields, such as a pay page's query: sorted and URL-encoded, so
    that no value can be mistaken for another field."""
    return _hmac(key, urlencode(sorted(fields.items())).encode())


def are_genuine(keys: Sequence[Secret], fields: Mapping[str, str], signature: str) -> bool:
    """Whether one of the keys signed exactly these fields. No key: nothing is genuine."""
    return bool(IS_SIGNATURE.fullmatch(signature)) and any(
        hmac.compare_digest(sign_fields(key, fields), signature) for key in keys
    )


def _hmac(key: Secret, text: bytes) -> str:
    return hmac.new(key.reveal().encode(), text, "sha256").hexdigest()
