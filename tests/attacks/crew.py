"""A distributor who buys through her own link under many names, for the commission.

Coupons and prices for new buyers come with marketing; until then a crew is after commission. She
tries it in her own browser, in fresh ones under her own contact and account, and in fresh ones,
under strangers' names, with the account that she pays her own orders from. Who has other browsers,
names and accounts for everything looks like a customer, and is one to the shop.
"""

from functools import partial

import sqlalchemy as sa

from app.core.db import session
from app.domain.accounts.contacts import Contact
from app.domain.channels.models import Commission, Distributor
from app.domain.orders.models import Order, OrderState
from tests.attacks import target as house
from tests.attacks.channel import Channel, payment_of
from tests.attacks.crowd import Crowd
from tests.attacks.outcome import Outcome, control
from tests.attacks.target import Target
from tests.attacks.visitor import Page, Visitor

NAMES = 30
HERS = 61_000
FRIENDS = 3
PRICE = 900
PAYER = "2088-her-own"
JOB = "app.domain.channels.jobs.settle_commission"


class Crew:
    """The distributor `login`, whose code is in her links, and what she does for money."""

    def __init__(self, target: Target, path: str) -> None:
        self.target = target
        self.path = path
        self.channel = Channel.of(target)
        who = target.shop.demo["distributor"]
        self.login, self.password = who["login"], who["password"]
        self.bought_for: list[str] = []
        self.solved = 0
        self.link = self._make_link()
        with target.inside():
            # To be typed at the checkout, without any link.
            self.code = session.scalars(
                sa.select(Distributor.code).where(
                    Distributor.person.has(contact_index=Contact.parse(self.login).index)
                )
            ).one()

    def _make_link(self) -> str:
        """As the portal gives her one, in a browser that she uses for nothing else."""
        desk, door = self.target.attacker(HERS - 1), "/portal/share/links"
        desk.sign_in(self.login, self.password)
        slug = self.path.rpartition("/")[2]
        made = desk.submit(desk.get("/portal/share"), door, product=slug)
        return f"/s/{made.path.removeprefix(door + '/')}"

    def in_her_browser(self, names: int) -> None:
        """It stays hers; the account she leaves."""
        seller = self.target.attacker(HERS)
        seller.sign_in(self.login, self.password)
        seller.get("/portal")
        seller.forget_session()
        seller.get(self.link)
        for _ in range(names):
            self.buy(seller, self.target.phone())

    def as_herself(self) -> None:
        """In fresh browsers: under her own contact, and in her own account under another."""
        for number in (1, 2):
            seller = self.target.attacker(HERS + number)
            seller.get(self.link)
            if number == 1:
                self.buy(seller, self.login)
            else:
                seller.sign_in(self.login, self.password)
                self.buy(seller, self.target.phone())

    def with_her_money(self, names: int) -> None:
        """Her own order first, by which the shop knows her account; then strangers' in fresh
        browsers from everywhere, paid from it."""
        self.buy(self.target.attacker(HERS + 9), self.login, payer=PAYER)
        for number in range(names):
            seller = self.target.attacker(HERS + 10 + number)
            self.buy(seller, self.target.phone(), payer=PAYER, referral_code=self.code)

    def friends(self) -> list[str]:
        """Customers who come by her link."""
        phones = [self.target.phone() for _ in range(FRIENDS)]
        for number, phone in enumerate(phones):
            friend = self.target.honest(50_000 + number)
            friend.get(self.link)
            self.pay(friend, self.target.order(friend, self.path, phone), "")
        return phones

    def buy(self, who: Visitor, phone: str, *, payer: str = "", **values: str) -> None:
        self.bought_for.append(phone)
        placed = self.target.order(who, self.path, phone, **values)
        if placed.wants_captcha:
            placed = who.solve(placed, "/orders", contact=phone, **values)
            self.solved += 1
        self.pay(who, placed, payer)

    def pay(self, who: Visitor, placed: Page, payer: str) -> None:
        """With play money, or from an account that the channel names."""
        if "/orders" in placed.path:
            return
        if not payer:
            who.submit(placed, "")
            return
        body = self.channel.paid(*payment_of(placed), payer=payer)
        self.channel.say(body)


def run(target: Target, scale: float) -> Outcome:
    """Orders of hers that earn her something."""
    names = max(int(NAMES * scale), 5)
    with target.inside():
        # So cheap that all of it is no sum that a person looks at first.
        wanted = house.product(names * 2 + 400, max_per_order=1, price=PRICE)
        path = house.path_of(wanted)
    crew = Crew(target, path)
    with Crowd(partial(target.buy, path=path), house.crowd_of(scale)) as crowd:
        crew.in_her_browser(names)
        crew.as_herself()
        crew.with_her_money(names // 3)
    friends = crew.friends()
    target.wait_for_jobs(JOB)
    with target.inside():
        # Her own number is in the demo's orders, too.
        paid, earning = _orders(crew.bought_for, path), _earning(crew.bought_for, path)
        reach = control(_earning(friends, path) == FRIENDS, f"{FRIENDS} customers earn her some")
    control(paid >= names, f"her orders were paid, not {paid}")
    return Outcome(
        "commission crew",
        f"{len(crew.bought_for)} orders: one browser, her name, her money",
        earning,
        "0 commissions",
        f"{paid} orders paid, {crew.solved} captchas",
        reach,
        crowd.people,
        tuple(crowd.troubles),
    )


def _of(phones: list[str], path: str) -> sa.ColumnElement[bool]:
    """Orders of this attack's product that were placed with one of the numbers."""
    slug = path.rpartition("/")[2]
    return sa.and_(
        Order.contact_index.in_([Contact.parse(phone).index for phone in phones]),
        Order.lines.any(product_id=house.id_of(slug)),
    )


def _orders(phones: list[str], path: str) -> int:
    paid = sa.select(sa.func.count(Order.id)).where(
        _of(phones, path), Order.state == OrderState.DELIVERED
    )
    return session.scalar(paid) or 0


def _earning(phones: list[str], path: str) -> int:
    count = (
        sa.select(sa.func.count(Commission.order_id.distinct()))
        .join(Order, Order.id == Commission.order_id)
        .where(_of(phones, path), Commission.amount > Commission.reversed)
    )
    return session.scalar(count) or 0
