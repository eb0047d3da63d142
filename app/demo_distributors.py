"""The demo's distributors: four tiers, three who sell, one of them under another, one who asks."""

from dataclasses import dataclass

from app.domain.accounts import service as accounts
from app.domain.accounts.contacts import Contact
from app.domain.channels import joining, tiers
from app.domain.channels.joining import Application
from app.domain.channels.models import Distributor
from app.domain.channels.tiers import TierFields

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


def add(password_hash: str) -> None:
    """Within a unit of work; `password_hash` opens DISTRIBUTOR's account, the others stay shut."""
    for fields in TIERS:
        tiers.create(fields)
    first = _join(FIRST, password_hash=password_hash)
    _join(UNDER_HER, token=joining.invite(first.id).token.reveal())
    for seller in OTHERS:
        _join(seller)


def _join(seller: Seller, *, password_hash: str = "", token: str = "") -> Distributor:
    person = accounts.create(
        Contact.parse(seller.contact), name=seller.name, password_hash=password_hash
    )
    asked = Application(seller.name, seller.introduction)
    distributor = joining.apply(person.id, asked, token)
    if seller.is_active:
        joining.approve(distributor.id)
    return distributor
