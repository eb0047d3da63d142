"""Pages of risk in all their states: what a buyer is asked for, and what staff see of it."""

from collections.abc import Callable

import sqlalchemy as sa
from playwright.sync_api import Page, expect

from app.core.actors import acting_as
from app.core.db import session, transaction
from app.domain.accounts.contacts import Contact
from app.domain.accounts.models import Role
from app.domain.catalog.models import Product
from app.domain.orders.models import Order
from app.domain.risk import cases, events, lists, live_rules
from app.domain.risk.models import (
    Case,
    Decision,
    EventKind,
    Key,
    Label,
    ListKind,
    Rule,
    RuleMode,
    Subject,
)
from tests import factories, people
from tests.browser.gallery import View
from tests.domain.risk import shopping
from tests.web.house import HOLDER, OWNER

HOLDING = ("new_account_high_value", "watched")
# What stays on while the pages are looked at; each meets only whom it is made for.
ON = ("one_contact_many_networks", "wrong_codes_captcha")
BOX = "main form.form"
HOPPER = "13900007777"
FILE = """名单,类型,内容,原因,天数
黑名单,邮箱域名,trash.example,一次性邮箱,30
黑名单,联系方式,139****0000,刷单,30
"""

# A second or two on a phone; a machine that does ten things at once takes longer.
WORK = 30_000

Sends = Callable[..., Callable[[Page], None]]


def views(buyer: int, sends: Sends) -> list[View]:
    """What a buyer is asked for, and what staff see; `sends` fills in a form and sends it."""
    switch(*HOLDING)
    held = hold(buyer)
    # Before its payer is trusted.
    taken, scored = take(), score()
    switch(*ON)
    transaction(lambda: hop(HOPPER))
    transaction(lambda: slip(buyer))
    case = session.scalars(sa.select(Case).where(Case.order_id == held.id)).one()
    shop = factories.make_product(codes=3, name="抢手的卡")
    rule = "/admin/risk/rules/new_account_high_value"
    return [
        View("order held", f"/orders/{held.number}", HOLDER),
        View(
            "checkout asks for a captcha",
            f"/products/{shop.slug}",
            HOLDER,
            _proves(sends(".buy__form", contact=HOPPER)),
        ),
        View("redeem box asks for a captcha", "/redeem", HOLDER, sends(BOX, code="12345678")),
        View("redeem captcha solved", "/redeem", HOLDER, _passes(sends(BOX, code="12345678"))),
        View("case linked", f"/admin/cases/{case.uid}", OWNER),
        View("case in review", f"/admin/cases/{taken}", OWNER),
        View("cases in review", "/admin/cases", OWNER),
        View("cases closed", "/admin/cases?closed=1", OWNER),
        View("decision with a score", f"/admin/risk/decisions/{scored}", OWNER),
        View("decisions found none", "/admin/risk/decisions?q=nothing", OWNER),
        View("rule refused", rule, OWNER, sends(BOX, rollout="900")),
        View("rule backtested", rule, OWNER, _backtests),
        View("list refused", "/admin/risk/lists", OWNER, sends("#new", value="nobody")),
        View("list file with faults", "/admin/risk/lists", OWNER, _uploads),
    ]


def switch(*slugs: str) -> None:
    """Switch these rules on, and no others; each counts for something."""
    on, off = sa.update(Rule).where(Rule.slug.in_(slugs)), sa.update(Rule)
    transaction(lambda: session.execute(off.values(state=RuleMode.OFF)))
    transaction(lambda: session.execute(on.values(state=RuleMode.ON, score=30)))
    live_rules.forget()


def hold(buyer: int) -> Order:
    """An order of the buyer's that is held; others are by the same contact, and the same payer."""
    dear = factories.make_product(codes=5, name="年度会员 尊享版", price=80_000)
    phone = factories.contact()
    for ip in ("198.51.100.1", "198.51.100.2", "198.51.100.3"):
        last = shopping.order(dear, ip=ip, phone=phone, person_id=buyer)
    assert last.payment is not None
    factories.settle(last.payment, payer="payer-1")
    pay(dear, factories.contact())
    return factories.fresh(last.order)


def pay(product: Product, phone: str) -> Order:
    """An order of another buyer's who pays from the same account."""
    placed = shopping.order(product, ip="198.51.100.9", device="another browser", phone=phone)
    assert placed.payment is not None
    factories.settle(placed.payment, payer="payer-1")
    return placed.order


def score() -> str:
    """A buyer who is watched and then trusted buys again: the number of that decision."""
    dear = factories.make_product(codes=5, name="年度会员 家庭版", price=60_000)
    phone = factories.contact()
    watched = lists.parse(Subject.CONTACT, phone)
    transaction(lambda: lists.add(ListKind.WATCH, watched, "上次退款有争议", 90))
    case = cases.of_order(pay(dear, phone).id)
    assert case is not None
    uid = case.uid
    transaction(lambda: cases.approve(uid, Label.FALSE_POSITIVE, "电话核对过", trust=True))
    pay(dear, phone)
    newest = sa.select(Decision.uid).order_by(Decision.id.desc()).limit(1)
    return session.scalars(newest).one()


def take() -> str:
    """A case that somebody of the house looks at."""
    dear = factories.make_product(codes=1, name="年度会员 双人版", price=60_000)
    case = cases.of_order(pay(dear, factories.contact()).id)
    assert case is not None
    uid = case.uid
    with acting_as(f"person:{people.make(Role.SUPPORT).id}"):
        transaction(lambda: cases.take(uid))
    return uid


def hop(phone: str) -> None:
    """Somebody who orders from everywhere."""
    contact = {Key.CONTACT: Contact.parse(phone).index.hex()}
    for number in range(4):
        whose = events.hashed(contact | {Key.NETWORK: f"198.51.{number}.0/24"})
        events.record(EventKind.PLACED, whose)


def slip(buyer: int) -> None:
    """Somebody who types wrong codes."""
    for _ in range(5):
        events.record(EventKind.WRONG_CODE, events.hashed({Key.ACCOUNT: str(buyer)}))


def _proves(asked: Callable[[Page], None]) -> Callable[[Page], None]:
    """She is asked, and her browser does the work."""

    def prove(page: Page) -> None:
        asked(page)
        expect(page.locator("[data-captcha][data-solved]")).to_be_visible(timeout=WORK)

    return prove


def _passes(asked: Callable[[Page], None]) -> Callable[[Page], None]:
    """What her browser worked out is taken: she is told about the code, and asked no more."""

    def go_on(page: Page) -> None:
        _proves(asked)(page)
        with page.expect_navigation():
            page.get_by_test_id("redeem-next").click()
        expect(page.get_by_test_id("captcha")).to_have_count(0)

    return go_on


def _backtests(page: Page) -> None:
    with page.expect_navigation():
        page.locator("button[formaction]").click()


def _uploads(page: Page) -> None:
    page.locator("input[type=file]").set_input_files(
        {"name": "lists.csv", "mimeType": "text/csv", "buffer": FILE.encode()}
    )
    with page.expect_navigation():
        page.locator('form[action$="/lists/file"] button').click()
