"""The QR code of a pass: short-lived, so that a photograph of it is worth little.

A showing names the pass and a step of time, signed with the shop's index key; the counter takes
the step that is now and the one before, and each step of a pass is good for one use.
"""

import base64
import binascii
import hmac
from datetime import timedelta

import sqlalchemy as sa

from app.core import clock, keys
from app.core.db import session
from app.core.errors import N_, Conflict, Refusal
from app.domain.vault.models import Code

PREFIX = "HSP1."
STEP = timedelta(seconds=30)
# A phone's page is drawn anew a little after a step begins, and a cashier is not quicker.
STEPS_GOOD = 2
# Ten minutes: time to look at the pass and to answer a question.
AT_THE_COUNTER = 20
UID_BYTES = 16
STEP_BYTES = 6
SIGNATURE_BYTES = 12


def showing(code_uid: bytes) -> str:
    """What the QR code says now."""
    raw = code_uid + _step().to_bytes(STEP_BYTES, "big")
    return PREFIX + base64.urlsafe_b64encode(raw + _sign(raw)).decode().rstrip("=")


def is_showing(text: str) -> bool:
    """Whether this is a pass's QR code at all, of whatever time."""
    return text.strip().startswith(PREFIX)


def read(text: str) -> tuple[int, int]:
    """The code and the step that were shown; raises Refusal for no pass of ours, Conflict for a
    showing that is over."""
    token = text.strip().removeprefix(PREFIX)
    try:
        raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    except (ValueError, binascii.Error):
        raw = b""
    body, signature = raw[: UID_BYTES + STEP_BYTES], raw[UID_BYTES + STEP_BYTES :]
    if len(body) != UID_BYTES + STEP_BYTES or not hmac.compare_digest(signature, _sign(body)):
        raise Refusal(N_("这不是本店的次卡二维码，请核对后再扫"), field="code")
    code_id = session.scalar(sa.select(Code.id).where(Code.uid == body[:UID_BYTES]))
    if code_id is None:
        raise Refusal(N_("这不是本店的次卡二维码，请核对后再扫"), field="code")
    step = int.from_bytes(body[UID_BYTES:], "big")
    if not 0 <= _step() - step < STEPS_GOOD:
        raise Conflict(N_("这个二维码已过期，请让顾客刷新后再扫"))
    return code_id, step


def is_recent(step: int) -> bool:
    """Whether a showing was read so lately that its holder still stands at the counter."""
    return _step() - step <= AT_THE_COUNTER


def _step() -> int:
    return int(clock.now().timestamp() // STEP.total_seconds())


def _sign(raw: bytes) -> bytes:
    return keys.index("pass-showing", raw.hex())[:SIGNATURE_BYTES]
