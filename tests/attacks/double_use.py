"""One code and one pass, used by fifty at once: in fifty browsers, and at the counter."""

import secrets
from dataclasses import dataclass
from functools import partial

import httpx
import sqlalchemy as sa

from app.core.db import session, transaction
from app.domain.accounts.models import Role
from app.domain.catalog.models import Product, ProductKind
from app.domain.redemptions import links, passes
from app.domain.redemptions.models import Redemption
from app.domain.redemptions.validity import Policy
from app.domain.vault import own_codes
from app.domain.vault import service as vault
from app.domain.vault.models import Code
from tests import factories
from tests.attacks import target as house
from tests.attacks.outcome import Outcome, control
from tests.attacks.target import Target
from tests.attacks.visitor import Page, Visitor

CODES = 10
AT_ONCE = 50
# At the simulated provider it is delivered at once, without any fault.
ACCOUNT = "13912340000"


@dataclass(frozen=True)
class Sold:
    """A code of somebody's order."""

    code_id: int
    text: str
    link: str


def run(target: Target, scale: float) -> Outcome:
    """Uses of a code beyond those that were bought."""
    codes, at_once = max(int(CODES * scale), 1), max(int(AT_ONCE * scale), 8)
    with target.inside():
        redeemable = session.scalars(
            sa.select(Product).where(Product.kind == ProductKind.REDEEM, Product.price > 1)
        ).first()
        benefits = [_sell(redeemable) for _ in range(codes + 1)]
        once = factories.make_product(codes=0, kind=ProductKind.MULTI, policy=Policy(uses_total=1))
        tickets = [_sell(once) for _ in range(codes)]
    *raced, last = benefits
    for number, sold in enumerate(raced):
        _redeem_at_once(target, sold, at_once, number)
    cashier = target.member(Role.SUPPORT).browser
    for ticket in tickets:
        _use_at_once(target, cashier, ticket.text, at_once)
    with target.inside():
        shown = factories.make_product(codes=0, kind=ProductKind.MULTI, policy=Policy(uses_total=9))
        guest_passes = [_sell(shown) for _ in range(codes)]
    for sold in guest_passes:
        with target.inside():
            showing = passes.showing(session.get_one(Code, sold.code_id).uid)
        _use_at_once(target, cashier, showing, at_once)
    target.wait_for_jobs("app.domain.recharges.jobs.recharge_redemption")
    uses = _uses(target, [*raced, *tickets, *guest_passes])
    control(min(uses) > 0, "of all who are there at once, one gets it")
    _redeem_at_once(target, last, 1, len(raced))
    return Outcome(
        "double use",
        f"{codes} codes, {codes} tickets, {codes} showings of a pass, {at_once} at once each",
        sum(used - 1 for used in uses) + _executed_twice(target),
        "one use each",
        f"{len(uses)} codes bought",
        control(_uses(target, [last]) == [1], "one of them alone redeems the next code"),
    )


def _sell(product: Product) -> Sold:
    """Whichever code it is that is sold next: the buyer reads it."""
    if product.kind != ProductKind.REDEEM:
        transaction(partial(factories.add_batch, product, own_codes.generate(1)))
    line = factories.buy(product).lines[0]
    buyer = factories.fresh(line.order).contact_index
    ((code, secret),) = transaction(
        partial(vault.reveal_to_buyer, [line.id], buyer, channel="page", ip="")
    )[line.id]
    return Sold(code.id, secret.reveal(), f"/r/{links.token_of(code.uid)}")


def _redeem_at_once(target: Target, sold: Sold, people: int, race: int) -> None:
    """Half of them typed the code, half came by its link; each has a form of her own."""
    ready: list[tuple[Visitor, Page]] = []
    for number in range(people):
        who = target.attacker(10_000 + race * people + number)
        if number % 2:
            page = who.get(sold.link)
        else:
            page = who.submit(who.get("/redeem"), "/redeem", code=sold.text)
        ready.append((who, page))
    account = {"account": ACCOUNT, "confirmed": ACCOUNT}
    house.at_once([partial(who.submit, page, "/redeem/code", **account) for who, page in ready])


def _use_at_once(target: Target, cashier: Visitor, scanned: str, people: int) -> None:
    """One scan, and its page in many windows: each button sends a key of its own."""
    page = cashier.submit(cashier.get("/admin/counter"), "/admin/counter", code=scanned)
    taps = [
        partial(
            target.attacker(19_000 + number).with_cookies_of(cashier).submit,
            page,
            "/admin/counter/uses",
            key=secrets.token_hex(16),
        )
        for number in range(people)
    ]
    house.at_once(taps)


def _uses(target: Target, sold: list[Sold]) -> list[int]:
    """How often each was used, uses that were given back not counted."""
    count = sa.select(sa.func.count(Redemption.id)).where(Redemption.counts)
    with target.inside():
        return [session.scalar(count.where(Redemption.code_id == one.code_id)) or 0 for one in sold]


def _executed_twice(target: Target) -> int:
    """Recharges that the provider did more than once, by its own record."""
    url = f"{target.settings.simulator_url}/control/executions"
    numbers = [row["number"] for row in httpx.get(url, trust_env=False).json()["executions"]]
    control(numbers, "the provider has recharged something")
    return len(numbers) - len(set(numbers))
