"""The one-click link of a redeem code: whoever holds it may do once what the code's owner could.

A token names its code and is signed with the shop's index key, so it can neither be guessed nor
made for another code, and nothing about it is stored. It dies with its code.
"""

import base64
import binascii
import hmac

import sqlalchemy as sa

from app.core import keys
from app.core.db import session
from app.domain.redemptions import answers
from app.domain.redemptions.answers import Unusable
from app.domain.vault.models import Code

UID_BYTES = 16
SIGNATURE_BYTES = 16


def token_of(code_uid: bytes) -> str:
    """The token in a code's link: 43 letters, 128 bits of signature."""
    return base64.urlsafe_b64encode(code_uid + _sign(code_uid)).decode().rstrip("=")


def code_id_of(token: str) -> int:
    """The code that a link is for; raises Unusable for one that we never made."""
    uid = _read(token)
    code_id = session.scalar(sa.select(Code.id).where(Code.uid == uid)) if uid else None
    if code_id is None:
        raise Unusable(answers.BAD_LINK)
    return code_id


def _read(token: str) -> bytes | None:
    try:
        raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    except (ValueError, binascii.Error):
        return None
    uid, signature = raw[:UID_BYTES], raw[UID_BYTES:]
    return uid if hmac.compare_digest(signature, _sign(uid)) else None


def _sign(code_uid: bytes) -> bytes:
    return keys.index("redeem-link", code_uid.hex())[:SIGNATURE_BYTES]
