"""Backup and restore: every row of every table in one sealed file, the same for both databases.

So a backup of SQLite restores into PostgreSQL: that is how a shop moves house. The file is sealed
with a key derived from the master key, which is never in it: keep the two in different places.
"""

import base64
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from app.core import clock, keys, migrations
from app.core.crypto import Tampered
from app.core.db import Model, is_postgres, see_one_moment, session, transaction
from app.core.sealed_file import SealedReader, SealedWriter

Progress = Callable[[str, int], None]
ROWS_AT_ONCE = 2000
# Sessions would let an old cookie in again after a restore.
LEFT_OUT = {"sessions", "throttles"}


class BadBackup(Exception):
    """The file is not a backup of this shop, is damaged, or the database is not empty."""


@dataclass(frozen=True)
class Contents:
    """What a backup holds: its schema revision, its moment, and the rows of each table."""

    revision: str
    made_at: str
    rows: dict[str, int]


def backup(path: Path, progress: Progress = lambda _table, _rows: None) -> Contents:
    """Write a consistent backup: one snapshot of the whole database, while the shop runs on."""
    rows: dict[str, int] = {}
    partial = path.with_suffix(path.suffix + ".part")
    made_at = clock.now().isoformat()
    with partial.open("wb") as file:
        partial.chmod(0o600)
        writer = SealedWriter(file, keys.ring().derive("backup"))
        see_one_moment()
        writer.write(_line({"revision": migrations.head(), "made_at": made_at}))
        for table in _tables():
            rows[table.name] = 0
            for row in _rows_of(table):
                writer.write(_line([table.name, row]))
                rows[table.name] += 1
                if rows[table.name] % ROWS_AT_ONCE == 0:
                    progress(table.name, ROWS_AT_ONCE)
            progress(table.name, rows[table.name] % ROWS_AT_ONCE)
        writer.write(_line({"rows": rows}))
        writer.finish()
        file.flush()
        os.fsync(file.fileno())
        session.rollback()
    # Complete or absent: a backup that was cut off never has the name of a good one.
    partial.replace(path)
    return Contents(migrations.head(), made_at, rows)


def restore(path: Path, progress: Progress = lambda _table, _rows: None) -> Contents:
    """Fill an empty, migrated database from a backup; raises BadBackup and changes nothing.

    What `flask init` just made counts as empty: its keys have sealed nothing and give way.
    """
    with path.open("rb") as file:
        try:
            lines = _lines(SealedReader(file, *keys.ring().derive_each("backup")))
            header = next(lines)
        except Tampered:
            raise BadBackup("this is no backup of a shop with this master key") from None
        if header["revision"] != migrations.head():
            raise BadBackup(
                f"the backup is of revision {header['revision']}, this program of "
                f"{migrations.head()}: restore with the version that made it, then upgrade"
            )
        try:
            rows = transaction(lambda: _fill(lines, progress))
        except Tampered as damage:
            raise BadBackup(f"the file is damaged: {damage}") from None
    return Contents(header["revision"], header["made_at"], rows)


def _fill(lines: Iterator[Any], progress: Progress) -> dict[str, int]:
    tables = {table.name: table for table in _tables()}
    _refuse_unless_empty(tables)
    session.execute(sa.delete(keys.DataKeyRow))
    counts = dict.fromkeys(tables, 0)
    waiting: list[dict[str, Any]] = []
    current = ""
    for line in lines:
        if isinstance(line, dict):
            _insert(tables.get(current), waiting, progress)
            if line["rows"] != counts:
                raise BadBackup("the backup's own count of its rows does not match")
            _reset_sequences(tables.values())
            return counts
        name, values = line
        if name != current or len(waiting) == ROWS_AT_ONCE:
            _insert(tables.get(current), waiting, progress)
            waiting, current = [], name
        waiting.append(_from_json(tables[name], values))
        counts[name] += 1
    raise BadBackup("the backup ends too early")


def _insert(table: sa.Table | None, rows: list[dict[str, Any]], progress: Progress) -> None:
    if table is not None and rows:
        session.execute(sa.insert(table), rows)
        progress(table.name, len(rows))


def _refuse_unless_empty(tables: dict[str, sa.Table]) -> None:
    for name, table in tables.items():
        if table is keys.DataKeyRow.__table__:
            continue
        if session.execute(sa.select(sa.literal(1)).select_from(table).limit(1)).first():
            raise BadBackup(f"the database is not empty: {name} has rows")


def _reset_sequences(tables: Any) -> None:
    """PostgreSQL's counters do not notice rows that bring their own ids."""
    if not is_postgres():
        return
    for table in tables:
        if "id" in table.c:
            newest = sa.select(sa.func.coalesce(sa.func.max(table.c.id), 0) + 1).scalar_subquery()
            sequence = sa.func.pg_get_serial_sequence(table.name, "id")
            session.execute(sa.select(sa.func.setval(sequence, newest, False)))


def _tables() -> list[sa.Table]:
    """Every table, parents before children."""
    return [table for table in Model.metadata.sorted_tables if table.name not in LEFT_OUT]


def _rows_of(table: sa.Table) -> Iterator[list[Any]]:
    columns = list(table.c)
    order = list(table.primary_key.columns)
    found = session.execute(
        sa.select(*columns).order_by(*order).execution_options(yield_per=ROWS_AT_ONCE)
    )
    for row in found:
        yield [_to_json(value) for value in row]


def _to_json(value: Any) -> Any:
    if isinstance(value, bytes):
        return {"b": base64.b64encode(value).decode()}
    if isinstance(value, datetime):
        return {"t": value.isoformat()}
    if isinstance(value, date):
        return {"d": value.isoformat()}
    if isinstance(value, dict | list):
        return {"j": value}
    return value


def _from_json(table: sa.Table, values: list[Any]) -> dict[str, Any]:
    return {column.name: _value(value) for column, value in zip(table.c, values, strict=True)}


def _value(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    ((kind, content),) = value.items()
    if kind == "b":
        return base64.b64decode(content)
    if kind == "t":
        return datetime.fromisoformat(content)
    if kind == "d":
        return date.fromisoformat(content)
    return content


def _line(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _lines(reader: SealedReader) -> Iterator[Any]:
    rest = b""
    for block in reader:
        *whole, rest = (rest + block).split(b"\n")
        yield from (json.loads(line) for line in whole)


def newest(directory: Path) -> Path | None:
    """The newest backup in a directory, for the health page."""
    found = sorted(directory.glob("*.backup"), key=lambda path: path.stat().st_mtime)
    return found[-1] if found else None


def default_path(data_dir: Path) -> Path:
    """Where `flask backup` writes when it is not told."""
    directory = data_dir / "backups"
    directory.mkdir(mode=0o700, exist_ok=True)
    return directory / f"{clock.now():%Y%m%d-%H%M%S}.backup"
