"""Commission of many orders posted by one worker; a plan played over many more."""

import multiprocessing
import resource
import time
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import sqlalchemy as sa

from app.core import clock, outbox
from app.core.db import Base, session, transaction
from app.core.outbox import OutboxRow
from app.domain.channels import simulating
from app.domain.channels.models import Attribution, Commission, Distributor, Tier
from app.domain.orders.models import Order, OrderLine
from app.domain.vault.models import Code
from bench import shop
from bench.orders import recorded, replayed
from bench.table import Figure
from tests import channels, factories, sellers

ORDERS = 10_000
PAST_ORDERS = 100_000
SELLERS = 50
JOB = "app.domain.channels.jobs.settle_commission"
RULES: tuple[dict[str, object], ...] = (
    {"percent_bp": 1000, "cap_per_month": 10**8, "min_margin_bp": 500},
    {"level": 2, "percent_bp": 200},
)


def run(scale: float) -> list[Figure]:
    return [posting(int(ORDERS * scale)), simulator(int(PAST_ORDERS * scale))]


def posting(orders: int) -> Figure:
    """Delivered orders of two levels each, whose jobs one worker runs; against the same SQL."""
    with shop.database() as base, TemporaryDirectory() as folder:
        with shop.opened(base):
            _sold(orders)
            jobs = _asked()
        script = Path(folder) / "commissions.sql"
        with shop.copy_of(base) as url, shop.opened(url):
            begin = time.perf_counter()
            _work(jobs)
            seconds = time.perf_counter() - begin
            _check(orders)
        with shop.copy_of(base) as url, shop.opened(url), recorded(script):
            _work(jobs)
        with shop.copy_of(base) as url:
            bare = orders / replayed(url, script)
    mine = orders / seconds
    return Figure(
        f"commission of {orders:,} delivered orders, two levels",
        f"{mine:.0f} orders/s, {mine / bare:.2f} of libpq",
        "",
        f"{bare:.0f} /s (psql, the same SQL)",
    )


def simulator(orders: int) -> Figure:
    """A draft over a past of that many orders, in a process of its own whose memory tells."""
    with shop.database() as url:
        with shop.opened(url):
            _sold(orders)
            _earned()
            draft = channels.draft(*RULES, {"percent_bp": 800, "tier_id": _tier()}, max_depth=2)
            plan_id = draft.id
        spawned = multiprocessing.get_context("spawn")
        with spawned.Pool(1) as pool:
            seconds, megabytes, played = pool.apply(_simulate, (url, plan_id))
    assert played == orders + 1, played
    return Figure(
        f"simulator over {orders:,} orders",
        f"{seconds:.1f} s, {megabytes:.0f} MB at most",
        "< 30 s, < 500 MB",
    )


def _simulate(url: str, plan_id: int) -> tuple[float, float, int]:
    with shop.opened(url):
        begin = time.perf_counter()
        now = clock.now()
        outcome = simulating.run(plan_id, now - timedelta(days=365), now)
        seconds = time.perf_counter() - begin
    # Linux counts kibibytes.
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return seconds, most, outcome.orders


def _sold(orders: int) -> None:
    """Delivered orders of many distributors, of whom each has a parent, and no commission yet.

    One is bought; the others are copied from its rows, because buying takes much longer.
    """
    parent = sellers.make()
    sold_by = [sellers.make(parent_id=parent.id).id for _ in range(SELLERS)]
    plan = channels.published_plan(*RULES, max_depth=2)
    product = factories.make_product(codes=1)
    order = factories.buy(product)
    channels.attribute(order, session.get_one(Distributor, sold_by[0]), plan)
    first = 1_000_000
    unique = "decode(md5(n::text), 'hex')"
    at = "now() - n * interval '1 second'"
    copies: tuple[tuple[type[Base], Mapping[str, str]], ...] = (
        (
            Order,
            {"number": "'B' || n", "token_hash": unique, "checkout_key": unique, "paid_at": at},
        ),
        (OrderLine, {"order_id": f"{first} + n", "delivered_at": at}),
        (Code, {"order_line_id": f"{first} + n", "lookup": unique}),
        (
            Attribution,
            {
                "order_id": f"{first} + n",
                "distributor_id": f"(ARRAY{sold_by})[1 + n % {SELLERS}]",
            },
        ),
    )
    for model, values in copies:
        copy(model, orders, {"id": f"{first} + n", **values})


def _earned() -> None:
    """What they have earned: as posting leaves it, copied from one."""
    first = session.scalars(sa.select(Attribution.order_id).order_by(Attribution.id.desc())).first()
    assert first is not None
    transaction(lambda: outbox.later(JOB, first))
    factories.work()
    for level in (1, 2):
        one = session.scalars(sa.select(Commission.id).where(Commission.level == level)).one()
        others = f"SELECT row_number() OVER () AS n, id FROM order_lines WHERE order_id <> {first}"
        copy_for_each(
            Commission,
            f"({others} AND id > 999999) AS line",
            {
                "id": f"{level} * 10000000 + line.n",
                "order_id": "line.id",
                "order_line_id": "line.id",
            },
            one,
        )


def copy(model: type[Base], count: int, values: Mapping[str, str]) -> None:
    """So many rows like the only one that the table has, with these expressions of `n` instead."""
    found = session.scalar(sa.select(model.__table__.c.id).limit(1))
    assert found is not None
    copy_for_each(model, f"generate_series(1, {count}) AS n", values, int(found))


def copy_for_each(
    model: type[Base], rows: str, values: Mapping[str, str], template_id: int
) -> None:
    """One row like that of `template_id` for each of `rows`, with these expressions instead."""
    table = model.__table__
    names = [column.name for column in table.columns]
    picked = ", ".join(values.get(name, f"template.{name}") for name in names)
    statement = (
        f"INSERT INTO {table} ({', '.join(names)}) SELECT {picked}"
        f" FROM {table} AS template, {rows} WHERE template.id = {template_id}"
    )
    transaction(lambda: session.execute(sa.text(statement)))
    transaction(lambda: session.execute(sa.text(f"ANALYZE {table}")))


def _asked() -> list[int]:
    """A job for each order, as its delivery asks for it."""

    def ask() -> None:
        for order_id in session.scalars(sa.select(Attribution.order_id).order_by(Attribution.id)):
            outbox.later(JOB, order_id, key=f"commission:delivered:{order_id}")

    transaction(ask)
    return list(session.scalars(sa.select(OutboxRow.id).where(OutboxRow.name == JOB)))


def _work(jobs: list[int]) -> None:
    session.rollback()
    for row_id in jobs:
        outbox.run(row_id)


def _check(orders: int) -> None:
    """That it was done: each of them, and the one they were copied from, earned at two levels."""
    session.rollback()
    found = session.scalar(sa.select(sa.func.count(Commission.id)))
    assert found == 2 * (orders + 1), found


def _tier() -> int:
    """The one that everybody is in."""
    return session.scalars(sa.select(Tier.id)).one()
