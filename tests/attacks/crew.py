"""A distributor who buys through her own link under many names, for the commission.

Coupons and prices for new buyers come with marketing; until then a crew is after commission.
"""

from functools import partial

import sqlalchemy as sa

from app.core.db import session
from app.domain.channels.models import Attribution, Commission, Distributor
from app.domain.orders.models import Order
from tests.attacks import target as house
from tests.attacks.crowd import Crowd
from tests.attacks.outcome import Outcome
from tests.attacks.target import Target

NAMES = 30
HERS = 61_000


def run(target: Target, scale: float) -> Outcome:
    """Orders of hers that earn her something."""
    names = max(int(NAMES * scale), 5)
    with target.inside():
        wanted = house.product(names + 400, max_per_order=1)
        path = house.path_of(wanted)
        code = session.scalars(sa.select(Distributor.code)).first()
    seller = target.attacker(HERS)
    seller.submit(
        seller.get("/account/sign-in"),
        "/account/sign-in",
        contact=target.shop.demo["distributor"]["login"],
        password=target.shop.demo["distributor"]["password"],
    )
    phones = [target.phone() for _ in range(names)]
    with Crowd(partial(target.buy, path=path)) as crowd:
        signed_in = {"sid", "__Host-sid"} & set(seller.cookies)
        # The browser stays hers; the account she leaves.
        for name in signed_in:
            del seller.cookies[name]
        seller.get(f"/s/{code}")
        for phone in phones:
            placed = target.order(seller, path, phone)
            if placed.wants_captcha:
                placed = seller.solve(placed, "/orders", contact=phone)
            if "/orders" not in placed.path:
                seller.submit(placed, "")
    with target.inside():
        earning = _earning(phones)
    return Outcome(
        "commission crew",
        f"{names} names in one browser",
        earning,
        "0 commissions",
        f"{names} orders paid, {seller.solved} captchas",
        crowd.people,
        tuple(crowd.troubles),
    )


def _earning(phones: list[str]) -> int:
    masked = {f"{phone[:3]}****{phone[-4:]}" for phone in phones}
    count = (
        sa.select(sa.func.count(Commission.id))
        .join(Order, Order.id == Commission.order_id)
        .join(Attribution, Attribution.order_id == Order.id)
        .where(Order.contact_masked.in_(masked), Commission.amount > Commission.reversed)
    )
    return session.scalar(count) or 0
