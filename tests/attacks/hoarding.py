"""Bots that order and never pay, so that nobody can buy: fifty accounts behind ten addresses, where
honest people are, too."""

from functools import partial

import sqlalchemy as sa

from app.core.db import session
from app.domain.orders.placing import Holds
from app.domain.vault.models import Batch, Code, CodeState
from tests.attacks import target as house
from tests.attacks.crowd import Crowd
from tests.attacks.neighbours import Neighbourhood
from tests.attacks.outcome import Outcome, control
from tests.attacks.target import Target
from tests.attacks.visitor import Visitor

ACCOUNTS = 50
ORDERS_EACH = 4
PIECES = 5
# As many unpaid orders limit an address, whatever they are of.
LIMITS = 10
# Many more than the bots may hold, so that whoever finds none was robbed.
STOCK = 400


def run(target: Target, scale: float) -> Outcome:
    """Held pieces beyond what the hold budget gives to one network."""
    # Enough of them that the budget stops them, and not their own number.
    accounts = max(int(ACCOUNTS * scale), 12)
    with target.inside():
        wanted = house.product(STOCK, max_per_order=PIECES)
        path, product_id = house.path_of(wanted), wanted.id
    addresses = [f"45.200.0.{number + 1}" for number in range(10)]
    bots = [Visitor(target.url, addresses[number % 10]) for number in range(accounts)]
    neighbourhood = Neighbourhood(target, addresses, path)
    least, allowance = house.crowd_of(scale), Holds().units_per_network
    with (
        Crowd(partial(target.buy, path=path), least) as crowd,
        neighbourhood.living(lambda who, _number: target.buy_as(who, path), max(least // 3, 3)),
    ):
        for _ in range(LIMITS):
            _hoard(target, bots[0], path, orders=1, pieces=1)
        house.in_parallel([partial(_hoard, target, bot, path) for bot in bots])
    held = _held(target, product_id)
    control(held > allowance - PIECES, f"the budget was filled, not {held} of {allowance}")
    _hoard(target, Visitor(target.url, "45.201.0.1"), path, orders=1)
    reach = control(
        _held(target, product_id) == held + PIECES, "from another network a bot still holds some"
    )
    return Outcome(
        "hoarder",
        f"{accounts * ORDERS_EACH} orders of {PIECES} by {accounts} accounts, 10 addresses",
        max(0, held - allowance),
        f"{allowance} pieces a network; held {held}",
        f"{sum(bot.solved for bot in bots)} captchas, {sum(bot.worked for bot in bots):.0f} s",
        reach,
        crowd.people,
        tuple(crowd.troubles),
        neighbourhood.met,
    )


def _hoard(
    target: Target, bot: Visitor, path: str, orders: int = ORDERS_EACH, pieces: int = PIECES
) -> None:
    phone = target.phone()
    for _ in range(orders):
        # A browser that comes back is led to the order it has; a bot has no memory.
        bot.cookies.clear()
        page = target.order(bot, path, phone, quantity=str(pieces))
        if page.wants_captcha:
            bot.solve(page, "/orders", contact=phone, quantity=str(pieces))


def _held(target: Target, product_id: int) -> int:
    """Pieces that are reserved and not paid: the honest pay at once."""
    with target.inside():
        count = (
            sa.select(sa.func.count(Code.id))
            .join(Batch, Batch.id == Code.batch_id)
            .where(Batch.product_id == product_id, Code.state == CodeState.RESERVED)
        )
        return session.scalar(count) or 0
