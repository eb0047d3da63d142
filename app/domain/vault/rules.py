"""What a code is: what it consists of, how codes are compared and shown, what seals them."""

import unicodedata
from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from app.core.crypto import context

LONGEST = 512
GROUP = 4
UNIT_SEPARATOR = "\x1f"

# Spaces and marks that nobody sees, which copying brings along: cut from both ends.
EDGES = (
    " \t\r\n\v\f\x85\xa0\xad\u1680\u180e\u3000\ufeff"
    + "".join(map(chr, range(0x2000, 0x2010)))
    + "".join(map(chr, range(0x2028, 0x2030)))
    + "".join(map(chr, range(0x205F, 0x2070)))
)
DASHES = "-\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\ufe63\uff0d"
SEPARATORS = EDGES + DASHES
WITHOUT_SEPARATORS = dict.fromkeys(map(ord, SEPARATORS))


class Content(NamedTuple):
    """What a buyer gets: a code, and with some suppliers the password that belongs to it."""

    code: str
    password: str | None = None

    def __repr__(self) -> str:
        return "Content(***)"


def join_content(content: Content) -> str:
    """One text to seal."""
    if content.password is None:
        return content.code
    return f"{content.code}{UNIT_SEPARATOR}{content.password}"


def split_content(text: str) -> Content:
    """The inverse of `join_content`."""
    code, mark, password = text.partition(UNIT_SEPARATOR)
    return Content(code, password if mark else None)


def unsold_context(batch_uid: bytes, code_uid: bytes) -> bytes:
    """What an unsold code is sealed to: the row and its batch."""
    return context(b"codes", code_uid, batch_uid)


def unsold_contexts(batch_uid: bytes, code_uids: Iterable[bytes]) -> list[bytes]:
    """The same of many codes of one batch."""
    mark = bytes(16)
    head, tail = unsold_context(batch_uid, mark).split(mark, 1)
    return [head + uid + tail for uid in code_uids]


def sold_context(batch_uid: bytes, code_uid: bytes, order_line_id: int, buyer: bytes) -> bytes:
    """What a sold code is sealed to: besides, the order line and the buyer."""
    return context(b"codes", code_uid, batch_uid, order_line_id, buyer)


def context_of(
    batch_uid: bytes,
    code_uid: bytes,
    order_line_id: int | None,
    sold_at: datetime | None,
    buyer: bytes | None,
) -> bytes:
    """What a code is sealed to as it stands in its row: `buyer` is whose its order line is."""
    if sold_at is None or order_line_id is None or buyer is None:
        return unsold_context(batch_uid, code_uid)
    return sold_context(batch_uid, code_uid, order_line_id, buyer)


def tidy(text: str) -> str:
    """A code as it is kept: as the supplier wrote it, without what copying left around it."""
    return text.strip(EDGES)


def normalise(text: str, *, case_sensitive: bool) -> str:
    """What two spellings of one code have in common; codes are found and compared by it."""
    bare = _without_separators(text if text.isascii() else unicodedata.normalize("NFKC", text))
    # A code that consists of dashes is still a code, and not the same as another of those.
    return (bare or text) if case_sensitive else (bare or text).upper()


def last_four(text: str) -> str:
    """The end of a code, for telling codes apart: never more than a third of it."""
    bare = _without_separators(text)
    return bare[len(bare) - min(4, len(bare) // 3) :]


def _without_separators(text: str) -> str:
    if text.isascii():
        # Five times as fast, and an import does it twice a line.
        return text.replace("-", "").replace(" ", "")
    return text.translate(WITHOUT_SEPARATORS)


def group_for_display(text: str) -> str:
    """In groups of four when it is one long word; as it is when it has a shape of its own."""
    if not (10 <= len(text) <= 40 and text.isascii() and text.isalnum()):
        return text
    return " ".join(text[start : start + GROUP] for start in range(0, len(text), GROUP))
