"""Canary codes: a few of each batch that nobody is ever sold. Whoever uses one has stolen it.

In the table a canary is a code like any other, on the shelf among the others, and looks like them
in the open, too. Which ones they are is in the batch's list, sealed; so a stolen database does not
tell, and whoever steals codes steals canaries.
"""

import math
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import sqlalchemy as sa

from app.core import keys
from app.core.db import session
from app.domain.vault import own_codes, storing
from app.domain.vault.models import Batch, Code
from app.domain.vault.rules import Content, split_content
from app.domain.vault.storing import NewCode, SealedCode

PER_BATCH = 3
# Among fewer of a supplier's codes there is too little to imitate. Our own are made, not imitated,
# and cost nothing: the smallest batch has as many.
LEAST_IMITATED = 20
# So many of the others are looked at to make one that looks like them.
LOOKED_AT = 200
TRIES = 20
# Out of so many that none of a million real codes of the same supplier is hit by chance.
LEAST_CHOICE = 10**12


@dataclass(frozen=True)
class Likeness:
    """What the codes are among which canaries go: our own or a supplier's, and how compared."""

    are_own: bool
    case_sensitive: bool


def ids_of(uid: bytes, sealed: bytes | None) -> tuple[int, ...]:
    """The ids of a batch's canaries, from its list; raises Tampered for another batch's."""
    return _opened(uid, sealed) if sealed else ()


def of_batches(wanted: sa.ColumnElement[bool]) -> list[int]:
    """The ids of the canaries of all batches that are `wanted`."""
    rows = session.execute(
        sa.select(Batch.uid, Batch.canaries_sealed).where(
            wanted, Batch.canaries_sealed.is_not(None)
        )
    )
    return [code_id for uid, sealed in rows for code_id in ids_of(uid, sealed)]


def is_canary(code: Code, batch: Batch) -> bool:
    return code.id in ids_of(batch.uid, batch.canaries_sealed)


def make(
    uid: str, step: tuple[int, int], codes: Sequence[NewCode], like: Likeness
) -> list[NewCode]:
    """The canaries that go among these `codes`, which come in with the import `uid`. `step` says
    which of how many steps of it this is.

    Each has a step of its own, which follows from the import's secret: so none has to be kept.
    """
    position, steps = step
    here = sum(_step_of(uid, number, steps) == position for number in range(PER_BATCH))
    if like.are_own:
        texts = own_codes.generate(here) if here else []
        return [storing.new_code(Content(text), case_sensitive=True) for text in texts]
    if len(codes) < LEAST_IMITATED:
        return []
    return _imitations(codes, here, case_sensitive=like.case_sensitive)


def enlist(batch_id: int, planted: Sequence[SealedCode]) -> None:
    """Write those that are in the store by now into their batch's list."""
    if not planted:
        return
    batch = session.get_one(Batch, batch_id, with_for_update=True, populate_existing=True)
    found = session.scalars(
        sa.select(Code.id).where(
            Code.lookup.in_([code.lookup for code in planted]),
            # By this too: a code of that text may have been there before.
            Code.uid.in_([code.uid for code in planted]),
        )
    ).all()
    add(batch, found)


def add(batch: Batch, code_ids: Sequence[int]) -> None:
    """Make canaries of codes that are in the batch and on its shelf."""
    known = ids_of(batch.uid, batch.canaries_sealed)
    text = ",".join(map(str, (*known, *code_ids)))
    batch.canaries_sealed = keys.seal_personal(text, "batches", "canaries", batch.uid)
    # They were not put in by the merchant, and are not there for anybody.
    batch.code_count -= len(code_ids)
    session.flush()


@lru_cache(maxsize=4096)
def _opened(uid: bytes, sealed: bytes) -> tuple[int, ...]:
    text = keys.open_personal(sealed, "batches", "canaries", uid).reveal()
    return tuple(int(code_id) for code_id in text.split(",") if code_id)


def _step_of(uid: str, number: int, steps: int) -> int:
    return int.from_bytes(keys.index("canary-step", f"{uid}:{number}")[:8], "big") % steps


def _imitations(codes: Sequence[NewCode], count: int, *, case_sensitive: bool) -> list[NewCode]:
    """So many that look like these and are none of them; fewer where that is not to be had."""
    known = {code.lookup for code in codes}
    texts = [code.text for code in codes]
    made: list[NewCode] = []
    for _ in range(TRIES * count):
        if len(made) == count:
            break
        content = split_content(imitation(texts))
        code = storing.new_code(content, case_sensitive=case_sensitive) if content.code else None
        if code is not None and code.lookup not in known:
            known.add(code.lookup)
            made.append(code)
    return made


def imitation(texts: Sequence[str]) -> str:
    """A text that could be one of these: of one's length, and in each place a symbol that one of
    that length has there. What all have in common, such as a prefix, stays.

    Empty where codes are so short or so much alike that it might be a real one.
    """
    pattern = secrets.choice(texts)
    alike = [text for text in texts if len(text) == len(pattern)]
    some = [pattern, *(secrets.choice(alike) for _ in range(LOOKED_AT))]
    places = [sorted(set(symbols)) for symbols in zip(*some, strict=True)]
    # The password says nothing about which code it is.
    of_code = places[: len(split_content(pattern).code)]
    if math.prod(map(len, of_code)) < LEAST_CHOICE:
        return ""
    return "".join(map(secrets.choice, places))
