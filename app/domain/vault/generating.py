"""Codes of our own: made by the system's random numbers, straight onto the shelf."""

from collections.abc import Iterator
from datetime import date
from itertools import islice

from app.core import audit, ids, keys
from app.core.actors import actor
from app.core.db import session
from app.core.errors import N_, Refusal
from app.core.keys import KeyPurpose
from app.core.outbox import later
from app.core.states import move
from app.domain.catalog.queries import find_product
from app.domain.vault import batches, own_codes, storing
from app.domain.vault.batches import BatchDetails
from app.domain.vault.models import Import, ImportState
from app.domain.vault.preparing import PIECE, Lines
from app.domain.vault.rules import Content

MOST = 1_000_000
PER_STEP = 50_000


def start(product_id: int, count: int, details: BatchDetails, today: date) -> str:
    """Let a worker make `count` codes into a batch of their own; the uid of its progress.

    Raises Refusal. It is an import without a file: the same progress, resumption and undoing.
    """
    if not 1 <= count <= MOST:
        raise Refusal(N_("数量要在 1 到 %(most)s 之间"), field="count", most=f"{MOST:,}")
    for fault in batches.faults(details, today):
        raise fault
    product = find_product(product_id)
    key_id = keys.create(KeyPurpose.BATCH).id
    batch = batches.create(product.id, details, key_id, is_generated=True)
    making = Import(
        uid=ids.token(),
        product_id=product.id,
        batch_id=batch.id,
        data_key_id=key_id,
        file_name="",
        format={},
        line_count=count,
        created_by=actor(),
    )
    session.add(making)
    session.flush()
    move(making, ImportState.RUNNING)
    later("app.domain.vault.jobs.add_codes", making.id, key=f"import:{making.id}")
    audit.record("codes.generate", "imports", making.id, batch=batch.id, count=count)
    return making.uid


def make(wanted: int) -> Iterator[Lines]:
    """A step's worth of new codes, at most `wanted`; they grow as those of a file do.

    Should one be in the store already (once in 2⁴⁹ millions), a further step makes another.
    """
    made = iter(own_codes.generate(min(wanted, PER_STEP)))
    lines = Lines(0)
    while some := list(islice(made, PIECE)):
        lines.numbers.extend(range(lines.line_count + 1, lines.line_count + len(some) + 1))
        lines.codes += [storing.new_code(Content(code), case_sensitive=True) for code in some]
        lines.line_count += len(some)
        yield lines
