"""What a shop left in the clear: searched for when its last journey is over and it has ended.

Whoever serves a shop to journeys does it with `searched_at_the_end`. So the search belongs to the
shop and not to a place in the order of tests: none can come after it, however they are spread over
processes, and each process searches the shop that it started.
"""

import base64
import binascii
import json
import re
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import sqlalchemy as sa

from app import create_app
from app.core.db import db, session
from app.domain.orders.models import Order
from app.domain.vault.rules import split_content
from app.drill import searching
from app.settings import Settings
from tests.browser import staff
from tests.servers import Shop, start_shop

# Where secrets may stand: files for the owner's eyes only, and what plays the outside world.
MAY_HOLD = {"shop.env", "demo.json", "master.key", "sandbox.db", "simulator.db"}
# What `bin/run` prints once to whoever tries it out: how to sign in to the demo.
GREETING = re.compile(rb"^Hardshelf .*?^ready$", re.MULTILINE | re.DOTALL)
# What each RQ job names, compressed: seen only by whoever looks into the jobs.
JOB = "app.core.outbox.run"


@contextmanager
def searched_at_the_end(data_dir: Path) -> Iterator[Shop]:
    """A running shop of which nothing secret must be left anywhere when it has ended."""
    shop = start_shop(data_dir)
    try:
        yield shop
    finally:
        exit_code = shop.stop()
    assert exit_code == 0
    secrets, numbers = secrets_of(shop)
    places = places_of(shop)
    left = {name: sorted(searching.found(secrets, pile)) for name, pile in places.items()}
    assert not any(left.values()), json.dumps(left)
    # That the search sees what is there.
    assert searching.found(numbers, places["database"]) == numbers
    assert searching.found([JOB], places["queue"]) == {JOB}


def secrets_of(shop: Shop) -> tuple[set[str], set[str]]:
    """All that must be found nowhere, and the numbers of its orders, which must be found."""
    with create_app(Settings.from_environment({"DATA_DIR": str(shop.data_dir)})).app_context():
        codes = searching.codes()
        numbers = set(session.scalars(sa.select(Order.number)))
        session.remove()
        db.engine.dispose()
    parts = {part for code in codes for part in split_content(code) if part}
    return {*shop.typed, staff.IN_A_FILE, *codes, *parts, *_of_files(shop)}, numbers


def places_of(shop: Shop) -> dict[str, list[bytes]]:
    """All that a shop writes, by where."""
    kept = {
        path: path.read_bytes()
        for path in sorted(shop.data_dir.rglob("*"))
        if path.is_file() and path.name.partition("-")[0] not in MAY_HOLD
    }
    queue = {path for path in kept if path.suffix in (".aof", ".rdb")}
    # Written anew it would have forgotten what is no more.
    assert [path.name for path in queue if path.suffix == ".aof"] == ["appendonly.aof.1.incr.aof"]
    database = {path for path in kept if path.name.startswith("shop.db")}
    return {
        "log": [GREETING.sub(b"", shop.log.read_bytes())],
        "queue": [part for path in queue for part in _unfolded(kept[path])],
        "database": searching.database(shop.data_dir / "shop.db"),
        "files": [kept[path] for path in kept.keys() - queue - database],
    }


def _of_files(shop: Shop) -> Iterable[str]:
    """The keys it was given, and the passwords and logins of its demo."""
    lines = (shop.data_dir / "shop.env").read_text().splitlines()
    pairs = dict(line.split("=", 1) for line in lines if "=" in line and line[0] != "#")
    people = (one for one in shop.demo.values() if isinstance(one, dict))
    ring = (shop.data_dir / "master.key").read_text().split()
    return {
        *(value for name, value in pairs.items() if name.endswith(("_KEY", "_SHOP"))),
        *(str(value) for one in people for value in one.values()),
        *(line.partition(":")[2] for line in ring),
    }


def _unfolded(log: bytes) -> Iterator[bytes]:
    """All that the queue was ever told, and each argument that is compressed, as RQ does with what
    a job is called with and how it failed, as it was before."""
    yield log
    unfolded = (_inflated(argument) for argument in _arguments(log))
    yield b"\n".join(text for text in unfolded if text)


def _arguments(log: bytes) -> Iterator[bytes]:
    """Of Redis's append-only file: `$<length>`, a line's end, and so many bytes, over and over."""
    at = 0
    while length := re.compile(rb"\$(\d+)\r\n").search(log, at):
        at = length.end() + int(length[1])
        yield log[length.end() : at]


def _inflated(argument: bytes) -> bytes:
    for packed in (argument, _from_base64(argument)):
        with suppress(zlib.error):
            return zlib.decompress(packed)
    return b""


def _from_base64(argument: bytes) -> bytes:
    try:
        return base64.b64decode(argument, validate=True)
    except binascii.Error:
        return b""
