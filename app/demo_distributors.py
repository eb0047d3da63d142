"""The demo's distributors: four tiers, a plan, three who sell, one of them under another, one who
asks; and a few orders that came by the first one's links and were paid by bank transfer.

A worker delivers these as soon as one runs, so her first commission is seen to arrive.
"""

from dataclasses import dataclass
from datetime import timedelta

from app.core import clock, ids
from app.domain.accounts import service as accounts
from app.domain.accounts.contacts import Contact
from app.domain.catalog import preferences
from app.domain.catalog.models import Product
from app.domain.channels import attribution, joining, links, plans, tiers
from app.domain.channels.attribution import Seen
from app.domain.channels.joining import Application
from app.domain.channels.models import Distributor
from app.domain.channels.plans import PlanFields, RuleFields
from app.domain.channels.tiers import TierFields
from app.domain.orders import placing, service
from app.domain.payouts import accounts as payout_accounts
from app.domain.payouts import tax_profiles
from app.domain.payouts.models import AccountKind
from app.domain.payouts.paper_models import IdentityKind
from app.domain.payouts.rules import AccountFields
from app.domain.payouts.tax_profiles import ProfileFields

# The one whose sign-in is printed.
DISTRIBUTOR = "13800138001"


@dataclass(frozen=True)
class Seller:
    """One demo distributor, and whether she sells already."""

    contact: str
    name: str
    introduction: str
    is_active: bool = True


TIERS = (
    TierFields("银牌", 500_000, 300),
    TierFields("金牌", 2_000_000, 500),
    TierFields("钻石", 10_000_000, 800),
)
FIRST = Seller(DISTRIBUTOR, "阿岚的会员铺", "两个 500 人的追剧群，每天晚上分享")
UNDER_HER = Seller("13800138002", "小北代充", "大学宿舍楼的同学群")
OTHERS = (
    Seller("13800138003", "数码老周", "数码论坛签名档与公众号"),
    Seller("13800138004", "橙子好物", "小红书账号，三千粉丝", is_active=False),
)
# What keeps at least a twentieth of the price for the shop.
PERCENT_BP, MARGIN_BP, POOL_BP = 800, 500, 3000
# Buyers' contacts, and how many of the product whose place on the shelf it is.
SALES = (("13900139001", 0, 2), ("13900139002", 2, 1), ("13900139003", 5, 1))


def add(password_hash: str, shelf: list[Product]) -> None:
    """Within a unit of work; `password_hash` opens DISTRIBUTOR's account, the others stay shut."""
    for fields in TIERS:
        tiers.create(fields)
    first = _join(FIRST, password_hash=password_hash)
    _join(UNDER_HER, token=joining.invite(first.id).token.reveal())
    for seller in OTHERS:
        _join(seller)
    _equip(first)
    _publish_a_plan()
    for number, (contact, place, quantity) in enumerate(SALES, 1):
        _sell(first, shelf[place], Contact.parse(contact), quantity, f"DEMO{number:04d}")


def _join(seller: Seller, *, password_hash: str = "", token: str = "") -> Distributor:
    person = accounts.create(
        Contact.parse(seller.contact), name=seller.name, password_hash=password_hash
    )
    asked = Application(seller.name, seller.introduction)
    distributor = joining.apply(person.id, asked, token)
    if seller.is_active:
        joining.approve(distributor.id)
    return distributor


def _equip(distributor: Distributor) -> None:
    """What a withdrawal needs: a tax profile with a number of nobody, an account."""
    tax_profiles.enter(
        distributor.id, ProfileFields(IdentityKind.RESIDENT_ID, "李小岚", "11010519491231002X")
    )
    account = payout_accounts.add(
        distributor.id, AccountFields(AccountKind.ALIPAY, "李小岚", DISTRIBUTOR)
    )
    # As if she had it for long: what is new waits before it is paid to.
    account.created_at = account.usable_at = account.created_at - timedelta(days=30)


def _publish_a_plan() -> None:
    plan = plans.make_draft()
    plans.change(plan.id, PlanFields("演示", POOL_BP))
    plans.add_rule(plan.id, RuleFields(percent_bp=PERCENT_BP, min_margin_bp=MARGIN_BP))
    plans.publish(plan.id)


def _sell(
    seller: Distributor, product: Product, buyer: Contact, quantity: int, trade_number: str
) -> None:
    """Somebody opens her link, orders, and pays by bank transfer, which staff confirm."""
    shop = preferences.get()
    click = links.record(links.link_of(seller, product), links.ClickFields(network="demo"))
    wanted = placing.Purchase(
        checkout_key=ids.token(),
        product_id=product.id,
        quantity=quantity,
        shown_price=product.price,
        contact=buyer,
        channel="transfer",
        pickup_hash=None,
        person_id=None,
        ip="",
        network="demo",
        language="zh",
    )
    today = clock.today(shop.zone)
    placed = placing.place(wanted, placing.Terms(timedelta(minutes=shop.hold_minutes), today))
    attribution.freeze(placed.order, Seen(click_uid=click.uid), attribution.Terms.of(shop))
    assert placed.payment is not None
    service.confirm_paid(placed.payment.id, trade_number, placed.payment.amount, today)
