"""What the tests of importing share: send a file, let the workers work, look at what is there."""

import io
from datetime import date
from typing import Any

import sqlalchemy as sa

from app.core import clock, keys
from app.core.db import Base, session, transaction
from app.domain.catalog.models import Product
from app.domain.vault import canaries, importing
from app.domain.vault.batches import BatchDetails
from app.domain.vault.importing import Upload
from app.domain.vault.models import Batch, Code, Import, RefusedLine
from app.domain.vault.rules import unsold_context
from tests import factories

DETAILS = BatchDetails("七月到货", supplier="甲公司", unit_cost=1200)


def today() -> date:
    return clock.today(factories.ZONE)


def upload(product: Product, content: bytes | str, name: str = "codes.txt", **how: Any) -> Import:
    raw = content.encode() if isinstance(content, str) else content
    uid = importing.upload(product.id, Upload(name, io.BytesIO(raw), **how))
    return fresh(uid)


def start(import_: Import, details: BatchDetails = DETAILS) -> None:
    transaction(lambda: importing.start(import_.id, details, today()))


def bring(product: Product, content: bytes | str, name: str = "codes.txt", **how: Any) -> Import:
    """A file all the way onto the shelf."""
    sent = upload(product, content, name, **how)
    start(sent)
    factories.work()
    return fresh(sent.uid)


def fresh(uid: str) -> Import:
    session.rollback()
    session.expire_all()
    return importing.find_import(uid)


def batch_of(import_: Import) -> Batch:
    session.rollback()
    session.expire_all()
    return session.get_one(Batch, import_.batch_id)


def texts(import_: Import) -> list[str]:
    """The codes of the import's batch in plain text, opened as a sale would open them; without its
    canaries."""
    batch = batch_of(import_)
    decoys = canaries.ids_of(batch.uid, batch.canaries_sealed)
    codes = session.scalars(
        sa.select(Code).where(Code.batch_id == batch.id, Code.id.not_in(decoys))
    )
    return sorted(
        keys.of(code.sealed).open(code.sealed, unsold_context(batch.uid, code.uid)).decode()
        for code in codes
    )


def reasons(import_: Import) -> list[tuple[int, str]]:
    found = session.scalars(
        sa.select(RefusedLine).where(RefusedLine.import_id == import_.id).order_by(RefusedLine.line)
    )
    return [(refused.line, refused.message % refused.params) for refused in found]


def everything_in_the_database() -> str:
    """Every value of every column of every table, as text."""
    return "\n".join(
        repr(value)
        for table in Base.metadata.sorted_tables
        for row in session.execute(sa.select(table))
        for value in row
    )
