"""The fence per address: numbers in one table, and each name its own budget."""

from pathlib import Path

import pytest
from flask import Flask
from limits import parse

from app import create_app
from app.settings import Settings
from app.web import limits
from tests import servers
from tests.conftest import settings
from tests.web.visitors import Visitor

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def test_the_numbers_can_be_read(app: Flask) -> None:
    assert all(parse(text).amount > 0 for text in limits.LIMITS.values())


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::/64"),
    ],
)
def test_a_household_is_one(app: Flask, address: str, key: str) -> None:
    with app.test_request_context("/", environ_base={"REMOTE_ADDR": address}):
        assert limits.key() == key


@pytest.mark.parametrize(
    ("redis_url", "uri"),
    [
        ("unix:///run/valkey.sock", "redis+unix:///run/valkey.sock"),
        ("redis://10.0.0.1:6379/0", "redis://10.0.0.1:6379/0"),
        ("rediss://u:p@redis.example:6380/1", "rediss://u:p@redis.example:6380/1"),
    ],
)
def test_redis_in_the_spelling_of_the_library(
    app: Flask, redis_url: str, uri: str, database_url: str
) -> None:
    config: Settings = settings(app.config["SETTINGS"].data_dir, database_url, redis_url)
    assert limits.storage_uri(config) == uri


def test_a_forwarded_address_counts_only_behind_a_trusted_proxy(app: Flask) -> None:
    """With no proxy configured the header is anybody's invention."""
    visitor = Visitor(app, ip="198.51.100.20")
    most = int(limits.LIMITS["sign_in"].split()[0])
    statuses = [
        visitor.post(
            "/account/sign-in", {"contact": "x"}, headers={"X-Forwarded-For": f"10.0.0.{n}"}
        ).status_code
        for n in range(most + 1)
    ]
    assert statuses[-1] == 429


def test_too_many_is_a_page_that_says_so(app: Flask) -> None:
    visitor = Visitor(app, ip="198.51.100.21")
    for _ in range(20):
        visitor.post("/lookup", {"number": "X", "contact": "13812345678"})
    response = visitor.post("/lookup", {"number": "X", "contact": "13812345678"})
    assert response.status_code == 429
    assert "操作太频繁" in response.text
    assert visitor.post("/account/sign-in", {"contact": "x"}).status_code == 422


def test_nodes_count_together_and_alone_when_redis_is_away(
    app: Flask, tmp_path: Path, database_url: str, redis_server: servers.RedisServer
) -> None:
    def node() -> Visitor:
        made = create_app(settings(tmp_path, database_url, redis_server.url))
        # One limiter a process: what an earlier test's node found out is not this one's.
        limits.limiter._storage_dead = False
        return Visitor(made, ip="198.51.100.30")

    form = {"number": "X", "contact": "13812345678"}
    first = node()
    for _ in range(20):
        assert first.post("/lookup", form).status_code == 422
    assert node().post("/lookup", form).status_code == 429
    redis_server.kill()
    try:
        alone = node()
        statuses = [alone.post("/lookup", form).status_code for _ in range(21)]
        assert statuses == [422] * 20 + [429]
    finally:
        redis_server.start()
