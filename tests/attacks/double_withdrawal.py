"""One balance taken out, and one spent, by many sessions of its owner at once."""

from dataclasses import dataclass
from functools import partial

import sqlalchemy as sa

from app.core.db import session
from app.domain.accounts.contacts import Contact
from app.domain.accounts.models import Person
from app.domain.channels import balance
from app.domain.channels.models import Distributor
from app.domain.orders.models import Order
from app.domain.payouts import queries
from app.domain.payouts.models import Withdrawal
from tests import paying_out, people, trade
from tests.attacks import target as house
from tests.attacks.outcome import Outcome, control
from tests.attacks.target import Target
from tests.attacks.visitor import Visitor

SELLERS = 10
# Fewer than may be asked for in a day would be stopped by that, and not by the balance.
SESSIONS = 10
EARNED = 20_000


@dataclass(frozen=True)
class Kept:
    """What is left of a seller's two balances, and what she got for them."""

    payable: int
    withdrawn: int
    balance: int
    bought: int


def run(target: Target, scale: float) -> Outcome:
    """Money that left a balance beyond what was in it, in minor units."""
    sellers = max(int(SELLERS * scale), 1)
    with target.inside():
        wanted = house.product(sellers * SESSIONS)
        slug, price = wanted.slug, wanted.price
        contacts = [_seller(number, price) for number in range(sellers)]
    kept = [_race(target, contact, number, slug) for number, contact in enumerate(contacts)]
    beyond = sum(max(0, one.withdrawn - EARNED) + max(0, one.bought - price) for one in kept) + sum(
        max(0, -one.payable) + max(0, -one.balance) for one in kept
    )
    control(all(one.bought for one in kept), "each buys what her balance is good for")
    return Outcome(
        "double withdrawal",
        f"{sellers} sellers, each with {SESSIONS} sessions at once, withdraw all and spend all",
        beyond,
        "what the balance holds",
        "nothing",
        control(all(one.withdrawn for one in kept), "one of the sessions gets the whole of it"),
    )


def _seller(number: int, price: int) -> str:
    """Somebody with money to withdraw and with money to spend."""
    contact = f"twice{number}@example.com"
    holder = paying_out.make_distributor(people.make(contact=contact), EARNED)
    paying_out.add_account(holder)
    trade.fill(holder, price)
    return contact


def _race(target: Target, contact: str, number: int, slug: str) -> Kept:
    browsers = [target.attacker(14_000 + number * SESSIONS + n) for n in range(SESSIONS)]
    for browser in browsers:
        browser.sign_in(contact, people.PASSWORD)
    house.at_once([_withdrawing(browser) for browser in browsers])
    house.at_once([_buying(browser, slug) for browser in browsers])
    with target.inside():
        return _kept(contact, house.id_of(slug))


def _withdrawing(browser: Visitor) -> partial[object]:
    page = browser.get("/portal/withdrawals/new")
    return partial(browser.submit, page, "/portal/withdrawals", amount=f"{EARNED / 100:.2f}")


def _buying(browser: Visitor, slug: str) -> partial[object]:
    page = browser.get(f"/portal/purchases/new?product={slug}")
    return partial(browser.submit, page, "/portal/purchases", quantity="1")


def _kept(contact: str, product_id: int) -> Kept:
    holder = session.scalars(
        sa.select(Distributor)
        .join(Person, Person.id == Distributor.person_id)
        .where(Person.contact_index == Contact.parse(contact).index)
    ).one()
    asked = sa.select(sa.func.sum(Withdrawal.gross)).where(Withdrawal.distributor_id == holder.id)
    spent = sa.select(sa.func.sum(Order.total)).where(
        Order.balance_of == holder.uid, Order.lines.any(product_id=product_id)
    )
    return Kept(
        queries.payable(holder.uid),
        session.scalar(asked) or 0,
        balance.of(holder.uid),
        session.scalar(spent) or 0,
    )
