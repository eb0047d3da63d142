"""What a decision costs with a million events behind it, and what that takes from the orders."""

import time
from contextlib import suppress
from functools import partial

import sqlalchemy as sa

from app.core.db import db, transaction
from app.domain.accounts.contacts import Contact
from app.domain.orders import screening
from app.domain.risk import events, live_rules
from app.domain.risk.models import Key
from app.domain.risk.stopping import Stopped
from app.domain.risk.visits import Visit
from bench import orders, shop
from bench.table import Figure, percentile

EVENTS = 1_000_000
# Who they are of: fifty events each within the thirty days that the longest window looks back.
PEOPLE = 20_000
A_NETWORK = 100
DAYS = 30
PART = 100_000
PAST = 100_000
# Whose past it is has nothing to do with those who buy now.
ELSEWHERE = 256 * A_NETWORK
ASKED = 1_000
TARGET_MS = 15
ORDERS, ROUNDS = 400, 3
# What one product sells within the ten minutes that hoarding of it is looked for in.
SOLD = 30_000
PRODUCT = 1


def run(scale: float) -> list[Figure]:
    return [*deciding(int(EVENTS * scale), int(SOLD * scale)), *checkout(scale)]


def deciding(count: int, sold: int) -> list[Figure]:
    """`decide` at checkout with every rule of the pack on, each time about somebody else: with a
    past, and once more while what she wants sells fast."""
    with shop.database() as url, shop.opened(url):
        transaction(shop.switch_all_on)
        live_rules.forget()
        _remember(count)
        past = [_ask(number) for number in range(ASKED)]
        _sell_fast(sold)
        fast = [_ask(number) for number in range(ASKED, 2 * ASKED)]
    return [
        _decided(f"decide() at checkout, {count:,} events", past),
        _decided(f"the same while {sold:,} of one product are sold in ten minutes", fast),
    ]


def _decided(name: str, latencies: list[float]) -> Figure:
    p50, p95 = percentile(latencies, 0.5), percentile(latencies, 0.95)
    return Figure(name, f"p50 {p50:.1f} ms, p95 {p95:.1f} ms", f"p95 < {TARGET_MS} ms")


def checkout(scale: float) -> list[Figure]:
    """The rate of complete orders without rules, and with all of them on.

    In a shop that has been open for a while: in one that sells its first thousand within a minute,
    PostgreSQL goes on reading whole tables as long as it believes that they are empty. Of several
    rounds, one and the other in turn, the best of each: what a machine does beside this only slows.
    The processor time says the same, and hangs less on who else uses the machine.
    """
    before = partial(_remember, int(PAST * scale), ELSEWHERE)
    rates: dict[bool, list[tuple[float, float]]] = {False: [], True: []}
    for _ in range(ROUNDS):
        for rules, found in rates.items():
            found.append(orders.rate(int(ORDERS * scale), rules=rules, before=before))
    without, with_all = (max(one for one, _ in rates[rules]) for rules in (False, True))
    cost, cost_with_all = (min(one for _, one in rates[rules]) for rules in (False, True))
    return [
        Figure(
            "complete orders with every rule on",
            f"{with_all:.1f} /s, {1 - with_all / without:.0%} less than without",
            "< 20 % less",
            f"{without:.1f} /s without rules",
        ),
        Figure(
            "by the processor time of an order",
            f"{1000 * cost_with_all:.0f} ms, {1 - cost / cost_with_all:.0%} fewer orders",
            "< 20 % fewer",
            f"{1000 * cost:.0f} ms without rules",
        ),
    ]


def _remember(count: int, someone: int = 0) -> None:
    """So many events, as evenly as they come, of people who share networks; `someone` is the first
    of them."""
    with db.engine.begin() as connection:
        connection.exec_driver_sql(
            "CREATE TEMP TABLE people (n int, ip bytea, network bytea, device bytea, contact bytea)"
        )
        connection.execute(
            sa.text("INSERT INTO people VALUES (:n, :ip, :network, :device, :contact)"),
            [
                {"n": n} | {key.value: value for key, value in _keys(someone + n).items()}
                for n in range(PEOPLE)
            ],
        )
        # In parts: one statement may take no longer than any other of the shop's.
        for first in range(1, count + 1, PART):
            last = min(first + PART - 1, count)
            connection.exec_driver_sql(
                "INSERT INTO risk_events (kind, at, ip, network, device, contact, order_id, amount)"
                " SELECT (ARRAY['placed', 'paid', 'wrong_code'])[1 + g %% 3],"
                f" now() - g * interval '{DAYS} days' / {count},"
                " ip, network, device, contact, -g, 3000"
                f" FROM generate_series({first}, {last}) AS g JOIN people ON n = g %% {PEOPLE}"
            )
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("ANALYZE risk_events")


def _sell_fast(count: int) -> None:
    """One product, to all of one carrier's network, who pay."""
    product = events.hashed({Key.PRODUCT: str(PRODUCT)})[Key.PRODUCT]
    network = _keys(ASKED)[Key.NETWORK]
    with db.engine.begin() as connection:
        for kind in ("placed", "paid"):
            connection.exec_driver_sql(
                "INSERT INTO risk_events (kind, at, network, product, order_id, amount)"
                f" SELECT '{kind}', now() - g * interval '9 minutes' / {count}, %s, %s, -g, 3000"
                f" FROM generate_series(1, {count}) AS g",
                (network, product),
            )
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("ANALYZE risk_events")


def _keys(number: int) -> dict[Key, bytes]:
    address, network = _address(number)
    return events.hashed(
        {
            **events.from_address(address, network),
            Key.DEVICE: f"device {number}",
            Key.CONTACT: _contact(number).index.hex(),
        }
    )


def _address(number: int) -> tuple[str, str]:
    group, host = divmod(number, A_NETWORK)
    net = f"198.{18 + group // 256}.{group % 256}"
    return f"{net}.{host}", f"{net}.0/24"


def _contact(number: int) -> Contact:
    return Contact.parse(f"138{number:08d}")


def _ask(number: int) -> float:
    """The time in seconds that one decision took, within a unit of its own."""
    address, network = _address(number)
    contact, visit = _contact(number), Visit(address, network, f"device {number}", "a browser")

    def ask() -> None:
        with suppress(Stopped):
            screening.checkout(
                visit,
                contact=contact,
                person_id=None,
                wanted=screening.Wanted(3000, 1, product_id=PRODUCT),
            )

    begin = time.perf_counter()
    transaction(ask)
    return time.perf_counter() - begin
