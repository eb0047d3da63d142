"""Bots that order and never pay, so that nobody can buy: fifty accounts in one data centre."""

from functools import partial

import sqlalchemy as sa

from app.core.db import session
from app.domain.orders.placing import Holds
from app.domain.vault.models import Batch, Code, CodeState
from tests.attacks import target as house
from tests.attacks.crowd import Crowd
from tests.attacks.outcome import Outcome
from tests.attacks.target import Target
from tests.attacks.visitor import Visitor

ACCOUNTS = 50
ORDERS_EACH = 4
PIECES = 5
# Many more than the bots may hold, so that whoever finds none was robbed.
STOCK = 400


def run(target: Target, scale: float) -> Outcome:
    """Held pieces beyond what the hold budget gives to one network."""
    accounts = max(int(ACCOUNTS * scale), 5)
    with target.inside():
        wanted = house.product(STOCK, max_per_order=PIECES)
        path, product_id = house.path_of(wanted), wanted.id
    bots = [Visitor(target.url, f"45.200.0.{number % 10 + 1}") for number in range(accounts)]
    with Crowd(partial(target.buy, path=path)) as crowd:
        house.in_parallel([partial(_hoard, target, bot, path) for bot in bots])
        held = _held(target, product_id)
    allowance = Holds().units_per_network
    return Outcome(
        "hoarder",
        f"{accounts * ORDERS_EACH} orders of {PIECES} by {accounts} accounts, 10 addresses",
        max(0, held - allowance),
        f"{allowance} pieces a network; held {held}",
        f"{sum(bot.solved for bot in bots)} captchas, {sum(bot.worked for bot in bots):.0f} s",
        crowd.people,
        tuple(crowd.troubles),
    )


def _hoard(target: Target, bot: Visitor, path: str) -> None:
    phone = target.phone()
    for _ in range(ORDERS_EACH):
        # A browser that comes back is led to the order it has; a bot has no memory.
        bot.cookies.clear()
        page = target.order(bot, path, phone, quantity=str(PIECES))
        if page.wants_captcha:
            bot.solve(page, "/orders", contact=phone, quantity=str(PIECES))


def _held(target: Target, product_id: int) -> int:
    """Pieces that are reserved and not paid: the honest pay at once."""
    with target.inside():
        count = (
            sa.select(sa.func.count(Code.id))
            .join(Batch, Batch.id == Code.batch_id)
            .where(Batch.product_id == product_id, Code.state == CodeState.RESERVED)
        )
        return session.scalar(count) or 0
