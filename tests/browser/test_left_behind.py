"""That what is left in the clear is found, wherever it is left, and fails the session."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from redis import Redis
from rq import Queue
from rq.serializers import JSONSerializer

from tests.browser.left_behind import searched_at_the_end
from tests.servers import Shop

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

IN_THE_LOG, IN_A_JOB, IN_A_LIMIT = "someone@example.org", "13955550001", "198.51.100.7/secret"
IN_A_TABLE, IN_A_COLUMN, IN_A_FILE = "PLAIN-CODE-0001", "correct horse staple", "13955550002"


def test_it_is_found_wherever_it_is_left(tmp_path: Path) -> None:
    with pytest.raises(AssertionError) as failed:
        _leave(tmp_path / "data")

    assert json.loads(str(failed.value)) == {
        "log": [IN_THE_LOG],
        "queue": sorted([IN_A_JOB, IN_A_LIMIT]),
        "database": sorted([IN_A_TABLE, IN_A_COLUMN]),
        "files": [IN_A_FILE],
    }


def _leave(data_dir: Path) -> None:
    """A shop that leaves one secret in each place."""
    with searched_at_the_end(data_dir) as shop:
        shop.typed |= {IN_THE_LOG, IN_A_JOB, IN_A_LIMIT, IN_A_TABLE, IN_A_COLUMN, IN_A_FILE}
        with shop.log.open("a") as log:
            log.write(json.dumps({"event": "x", "url": "/?to=someone%40example.org"}) + "\n")
        _leave_in_queue(shop)
        with closing(sqlite3.connect(shop.data_dir / "shop.db", timeout=30)) as books, books:
            books.execute("CREATE TABLE notes (text)")
            books.execute("INSERT INTO notes VALUES (?)", (IN_A_TABLE.replace("-", "").lower(),))
            books.execute("INSERT INTO notes VALUES (?)", (IN_A_COLUMN.encode(),))
        (shop.data_dir / "export.csv").write_text(IN_A_FILE)


def _leave_in_queue(shop: Shop) -> None:
    """In what a job is called with, which RQ compresses and forgets; and in a key."""
    with Redis.from_url(f"unix://{shop.data_dir / 'valkey.sock'}") as redis:
        queue = Queue("nobody", connection=redis, serializer=JSONSerializer)
        job = queue.enqueue_call("app.core.outbox.run", args=["text to", IN_A_JOB])
        job.delete()
        redis.set(f"limit/{IN_A_LIMIT}", 1, ex=1)
