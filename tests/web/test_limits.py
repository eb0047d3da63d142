"""The fence per address: numbers in one table, and each name its own budget."""

import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import time_machine
from flask import Flask
from limits import parse

from app import create_app
from app.core import clock
from app.domain.accounts.rules import PATIENCE
from app.settings import Settings
from app.web import client, limits
from app.web.access import Who, public
from tests import servers
from tests.conftest import settings
from tests.web.test_access import routes
from tests.web.visitors import Visitor

SAYS_WHEN = {
    "zh": r"操作太频繁，请 \d+ (秒|分钟)后再试",
    "en": r"Too often. Try again in \d+ (seconds|minutes)",
}
# Public forms that cost next to nothing and tell nothing.
FREE = {
    *("shop.preferences.update_theme", "shop.preferences.update_language"),
    *("account.sessions.delete", "admin.sign_in.delete"),
    *("shop.wallet.create_deletion", "shop.orders.create_cancellation"),
}

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def test_the_numbers_can_be_read(app: Flask) -> None:
    assert all(parse(text).amount > 0 for text in limits.LIMITS.values())


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("unknown", "192.0.2.0"),
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


@pytest.mark.own_app
@pytest.mark.parametrize("name", limits.LIMITS)
@pytest.mark.parametrize("language", SAYS_WHEN)
def test_each_trips_at_its_number_and_says_when(app: Flask, name: str, language: str) -> None:
    app.add_url_rule("/fenced", "fenced", public(limits.per_address(name)(lambda: "in")))
    visitor, neighbour = (Visitor(app, ip=f"198.51.100.{last}") for last in (21, 22))
    visitor.client.set_cookie("language", language)
    assert neighbour.get("/fenced").status_code == 200
    wanted = parse(limits.LIMITS[name])
    # As many before as are allowed but for one, without the work of asking.
    for _ in range(wanted.amount - 1):
        assert limits.limiter.limiter.hit(wanted, "limit", visitor.ip, name)

    last, refused = visitor.get("/fenced"), visitor.get("/fenced")

    assert (last.status_code, refused.status_code) == (200, 429)
    assert 0 < int(refused.headers["Retry-After"]) <= wanted.get_expiry() + 1
    assert re.search(SAYS_WHEN[language], refused.text)
    assert neighbour.get("/fenced").status_code == 200


def test_every_public_form_stands_behind_one(app: Flask) -> None:
    without = {
        route.endpoint
        for route, rule in routes(app)
        if rule is not None
        and rule.who is Who.ANYBODY
        and "POST" in (route.methods or ())
        and limits.fence_of(app.view_functions[route.endpoint]) is None
    }
    assert without == FREE


def test_no_number_stands_for_nothing(app: Flask) -> None:
    assert {limits.fence_of(view) for view in app.view_functions.values()} - {None} == set(
        limits.LIMITS
    )


def test_each_name_is_a_budget_of_its_own(app: Flask) -> None:
    visitor = Visitor(app, ip="198.51.100.23")
    assert look_up(visitor, 21) == [422] * 20 + [429]
    assert visitor.post("/account/sign-in", {"contact": "x"}).status_code == 422


@pytest.mark.parametrize("forged", ["6.6.6.6", "6.6.6.6, 7.7.7.7", "no address", "::1", ""])
def test_behind_one_proxy_a_forged_address_changes_nothing(
    tmp_path: Path, database_url: str, forged: str
) -> None:
    """The proxy puts whom it saw behind what it was sent; only its own entry counts."""
    made = create_app(replace(settings(tmp_path, database_url), trusted_proxies=1))
    seen = []
    made.before_request(lambda: seen.append((limits.key(), client.network(client.address()))))

    made.test_client().get(
        "/healthz",
        environ_base={"REMOTE_ADDR": "10.0.0.2"},
        headers={"X-Forwarded-For": f"{forged}, 203.0.113.9".removeprefix(", ")},
    )

    assert seen == [("203.0.113.9", "203.0.113.0/24")]


@pytest.mark.parametrize(
    ("language", "sentence"),
    [("zh", "尝试太频繁，请 5 秒后再试"), ("en", "Too many attempts. Try again in 5 s")],
)
def test_an_exact_throttle_says_when_too(app: Flask, language: str, sentence: str) -> None:
    """And waits for a guesser who comes from another address each time."""
    free = PATIENCE["lookup-order"].free
    with time_machine.travel("2026-07-03T10:00:00Z", tick=False):
        for n in range(free + 2):
            visitor = Visitor(app, ip=f"198.51.100.{n}")
            visitor.client.set_cookie("language", language)
            answer = visitor.post("/lookup", {"number": "H1", "contact": f"139000000{n:02d}"})
    assert answer.status_code == 429
    assert answer.headers["Retry-After"] == "5"
    assert sentence in answer.text


def look_up(visitor: Visitor, times: int) -> list[int]:
    """Ask for so many orders that do not exist, each once; what was answered."""
    return [
        visitor.post("/lookup", {"number": f"X{n}", "contact": "13812345678"}).status_code
        for n in range(times)
    ]


def test_nodes_count_together_and_alone_when_redis_is_away(
    app: Flask, tmp_path: Path, database_url: str, redis_server: servers.RedisServer
) -> None:
    def node() -> Visitor:
        made = create_app(settings(tmp_path, database_url, redis_server.url))
        # One limiter a process: what an earlier test's node found out, and when, is not this one's.
        limits.limiter._storage_dead = False
        vars(limits.limiter)["_Limiter__last_check_backend"] = clock.now().timestamp()
        return Visitor(made, ip="198.51.100.30")

    first = node()
    assert look_up(first, 20) == [422] * 20
    refused = node().post("/lookup", {"number": "Y", "contact": "13812345678"})
    assert refused.status_code == 429
    assert 0 < int(refused.headers["Retry-After"]) <= 600
    redis_server.kill()
    try:
        assert look_up(node(), 21) == [422] * 20 + [429]
    finally:
        redis_server.start()
    # The library asks again after a second, then after two, and so on.
    back = node()
    limits.limiter._storage_dead = True
    with time_machine.travel(clock.now() + timedelta(minutes=1)):
        assert look_up(back, 1) == [422]
        assert not limits.limiter._storage_dead
