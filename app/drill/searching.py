"""Looking for secrets where they must not be: in a database, in any pile of bytes."""

import json
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import sqlalchemy as sa

from app.core import keys
from app.core.db import session
from app.domain.orders.models import Order, OrderLine
from app.domain.vault.models import Batch, Code
from app.domain.vault.rules import sold_context, unsold_context

# What is shorter is not looked for: it would be found by chance, in the middle of something else.
LEAST = 10


def codes() -> list[str]:
    """Every code of this shop in the clear, opened with its keys, to have something to look for.

    Those whose keys were destroyed cannot be opened, and are left out.
    """
    rows = session.execute(
        sa.select(Code, Batch, Order.contact_index)
        .join(Batch, Batch.id == Code.batch_id)
        .outerjoin(OrderLine, OrderLine.id == Code.order_line_id)
        .outerjoin(Order, Order.id == OrderLine.order_id)
        .where(Batch.shredded_at.is_(None))
    ).all()
    return [_open(code, batch, buyer) for code, batch, buyer in rows]


def database(path: Path) -> list[bytes]:
    """A SQLite database as its files, and as text, row by row; what is no text there is in hex."""
    files = [path, path.with_name(f"{path.name}-wal")]
    loot = [file.read_bytes() for file in files if file.exists()]
    with closing(sqlite3.connect(path)) as stolen:
        loot.append("\n".join(stolen.iterdump()).encode())
    return loot


def found(secrets: Iterable[str], loot: Iterable[bytes]) -> set[str]:
    """Which of these stand in it: as they are, without dashes, in small letters, as an address or
    JSON would spell them, or in hex."""
    by_beginning: dict[bytes, list[tuple[bytes, str]]] = {}
    for secret in secrets:
        for form in _forms(secret):
            if len(form) >= LEAST:
                by_beginning.setdefault(form[:LEAST], []).append((form, secret))
    there = set()
    for part in loot:
        for at in range(len(part) - LEAST + 1):
            for form, secret in by_beginning.get(part[at : at + LEAST], ()):
                if part.startswith(form, at):
                    there.add(secret)
    return there


def _open(code: Code, batch: Batch, buyer: bytes | None) -> str:
    bound_to = unsold_context(batch.uid, code.uid)
    if code.sold_at is not None and code.order_line_id is not None and buyer is not None:
        bound_to = sold_context(batch.uid, code.uid, code.order_line_id, buyer)
    return keys.of(code.sealed).open(code.sealed, bound_to).decode()


def _forms(secret: str) -> set[bytes]:
    bare = secret.replace("-", "")
    spelt = (secret, bare, quote(secret, safe=""), json.dumps(secret)[1:-1])
    plain = {form.encode() for text in spelt for form in (text, text.lower())}
    in_hex = {form.hex() for form in plain}
    return plain | {text.encode() for one in in_hex for text in (one, one.upper())}
