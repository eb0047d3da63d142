"""Whose order it is: found and frozen when it is placed, and why it earns nothing, if it does.

The order of evidence is: a distributor's code that the buyer typed, what staff corrected, the last
click on a link within the window, a contact that stays a distributor's. A visit without a link
never overwrites a click. `evidence` keeps ids and times, so that everybody concerned can be told.
"""

import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import joinedload

from app.core import clock, db
from app.core.db import require_transaction, session
from app.core.errors import N_, Refusal
from app.domain.catalog import preferences
from app.domain.channels.models import (
    Attribution,
    AttributionRule,
    Click,
    ContactBinding,
    Distributor,
    DistributorState,
    Plan,
    PlanState,
    ShareLink,
)
from app.domain.orders.models import (
    NOBODYS_ACCOUNTS,
    Order,
    OrderState,
    Payment,
    PaymentState,
)

Sentence = tuple[str, dict[str, Any]]

BINDING_LASTS = {"first_order": None, "days365": timedelta(days=365)}

NOTHING_BECAUSE = {
    "same_person": N_("下单的就是分销商自己的账号，不产生佣金"),
    "same_contact": N_("下单的联系方式就是分销商自己的，不产生佣金"),
    "same_device": N_("下单的设备是分销商自己用过的，不产生佣金"),
    "same_payer": N_("付款账号是分销商自己用过的，不产生佣金"),
}


@dataclass(frozen=True)
class Seen:
    """What the buyer's browser brought along; empty for almost everybody.

    `owners` are the uids of the distributors who have been signed in in this browser.
    """

    referral_code: str = ""
    click_uid: str = ""
    device: str = ""
    owners: tuple[str, ...] = ()


@dataclass(frozen=True)
class Terms:
    """What the merchant decided: how long a click counts, and whether a contact is bound."""

    within: timedelta
    bind_mode: str

    @classmethod
    def of(cls, shop: preferences.Preferences) -> "Terms":
        return cls(timedelta(days=shop.attribution_days), shop.bind_mode)


@dataclass(frozen=True)
class _Found:
    """Whose it is, by which rule, and what was seen."""

    distributor: Distributor
    rule: AttributionRule
    evidence: dict[str, Any]
    click_id: int | None = None
    campaign: str = ""


# Freezing


def freeze(order: Order, seen: Seen, terms: Terms) -> Attribution | None:
    """Keep whose order it is, in the unit that places it; None is nobody's, and costs no query.

    An order that the form found again keeps what it has. Raises Refusal for a typed code that is
    no distributor's.
    """
    require_transaction()
    if order.is_attributed or order.state != OrderState.PENDING:
        return None
    found = _evidence(order, seen, terms)
    if found is None:
        return None
    made = Attribution(
        order_id=order.id,
        distributor_id=found.distributor.id,
        plan_id=plan_at(order.created_at),
        rule=found.rule,
        click_id=found.click_id,
        campaign=found.campaign,
        evidence=found.evidence | ({"device": seen.device} if seen.device else {}),
        earns_nothing_because=own_purchase(order, found.distributor, seen.owners),
    )
    order.is_attributed = True
    session.add(made)
    session.flush()
    return made


def normalise_code(text: str) -> str:
    """A typed referral code as it is stored: without spaces, in capitals."""
    return "".join(unicodedata.normalize("NFKC", text).split()).upper()


def find_by_code(text: str) -> Distributor | None:
    """The active distributor whose code this is, however it was typed."""
    return session.scalars(
        sa.select(Distributor).where(
            Distributor.code == normalise_code(text), Distributor.state == DistributorState.ACTIVE
        )
    ).one_or_none()


def _evidence(order: Order, seen: Seen, terms: Terms) -> _Found | None:
    found = None
    if seen.referral_code:
        found = _by_code(seen.referral_code)
    if found is None and seen.click_uid:
        found = _by_click(seen.click_uid, terms.within)
    if found is None and terms.bind_mode in BINDING_LASTS:
        found = _by_binding(order.contact_index)
    return found


def _by_code(text: str) -> _Found:
    distributor = find_by_code(text)
    if distributor is None:
        raise Refusal(N_("没有这个推广码。请检查一下，没有就留空"), field="referral_code")
    evidence = {"code": distributor.code, "at": clock.now().isoformat()}
    return _Found(distributor, AttributionRule.REFERRAL_CODE, evidence)


def _by_click(click_uid: str, within: timedelta) -> _Found | None:
    click = session.scalars(
        sa.select(Click)
        .where(Click.uid == click_uid)
        .options(joinedload(Click.link).joinedload(ShareLink.distributor))
    ).one_or_none()
    now = clock.now()
    if click is None or now >= click.at + within:
        return None
    if click.link.distributor.state != DistributorState.ACTIVE:
        return None
    evidence = {
        "link": click.link.code,
        "link_id": click.link_id,
        "clicked_at": click.at.isoformat(),
        "until": (click.at + within).isoformat(),
        "referrer": click.referrer,
        "at": now.isoformat(),
    }
    return _Found(
        click.link.distributor, AttributionRule.CLICK, evidence, click.id, click.link.campaign
    )


def _by_binding(contact_index: bytes) -> _Found | None:
    now = clock.now()
    row = session.execute(
        sa.select(ContactBinding, Distributor)
        .join(Distributor, Distributor.id == ContactBinding.distributor_id)
        .where(
            ContactBinding.contact_index == contact_index,
            sa.or_(ContactBinding.expires_at.is_(None), ContactBinding.expires_at > now),
            Distributor.state == DistributorState.ACTIVE,
        )
    ).one_or_none()
    if row is None:
        return None
    binding, distributor = row
    evidence = {
        "binding_id": binding.id,
        "bound_at": binding.created_at.isoformat(),
        "until": binding.expires_at.isoformat() if binding.expires_at else None,
        "at": now.isoformat(),
    }
    return _Found(distributor, AttributionRule.BINDING, evidence)


def plan_at(at: datetime) -> int | None:
    """The plan that was published then: an order earns by the rules it was placed under."""
    return session.scalar(
        sa.select(Plan.id)
        .where(Plan.state != PlanState.DRAFT, Plan.published_at <= at)
        .order_by(Plan.published_at.desc(), Plan.id.desc())
        .limit(1)
    )


def own_purchase(order: Order, distributor: Distributor, owners: tuple[str, ...]) -> str:
    """Why a purchase is the distributor's own; empty when it is not."""
    if order.person_id is not None and order.person_id == distributor.person_id:
        return "same_person"
    if order.contact_index == distributor.person.contact_index:
        return "same_contact"
    return "same_device" if distributor.uid in owners else ""


# Earning


def of_order(order_id: int) -> Attribution | None:
    """Whose order it is, as it is now."""
    return session.scalars(
        sa.select(Attribution)
        .where(Attribution.order_id == order_id)
        .options(joinedload(Attribution.distributor))
        .execution_options(populate_existing=True)
    ).one_or_none()


def earns(order_id: int) -> Attribution | None:
    """The attribution by which a paid order earns commission; None when it earns nobody any.

    Asked by the unit that settles commissions, under the order's lock: only now is known who paid,
    and only a paid order binds its buyer's contact.
    """
    require_transaction()
    found = check_payer(order_id)
    if found is None or found.earns_nothing_because:
        return None
    _bind(found)
    return found


def check_payer(order_id: int) -> Attribution | None:
    """Note that an order was paid from an account that its distributor pays her own orders from."""
    require_transaction()
    found = of_order(order_id)
    if found is None or found.earns_nothing_because:
        return found
    paid = session.execute(
        sa.select(Payment.id, Payment.channel, Payment.payer).where(
            Payment.order_id == order_id,
            Payment.state.in_((PaymentState.PAID, PaymentState.REFUNDED)),
            Payment.payer.not_in(NOBODYS_ACCOUNTS),
        )
    ).all()
    if any(_is_hers(found.distributor, channel, payer, order_id) for _, channel, payer in paid):
        found.earns_nothing_because = "same_payer"
        session.flush()
    return found


def _is_hers(distributor: Distributor, channel: str, payer: str, order_id: int) -> bool:
    own = (
        sa.select(Payment.id)
        .join(Order, Order.id == Payment.order_id)
        .where(
            sa.or_(
                Order.person_id == distributor.person_id,
                Order.contact_index == distributor.person.contact_index,
            ),
            Payment.channel == channel,
            Payment.payer == payer,
            Payment.order_id != order_id,
        )
    )
    return session.scalar(own.limit(1)) is not None


def _bind(found: Attribution) -> None:
    """Let the buyer's contact stay the distributor's, if the shop binds and nobody else has it."""
    mode = preferences.get().bind_mode
    if mode not in BINDING_LASTS:
        return
    order = session.get_one(Order, found.order_id)
    if order.paid_at is None:
        return
    lasts = BINDING_LASTS[mode]
    bound = {
        "distributor_id": found.distributor_id,
        "order_id": order.id,
        "created_at": order.paid_at,
        "expires_at": order.paid_at + lasts if lasts else None,
    }
    made = db.insert_once(
        ContactBinding, "contact_index", contact_index=order.contact_index, **bound
    )
    if made is None:
        # A binding that has run out makes room for the next.
        session.execute(
            sa.update(ContactBinding)
            .where(
                ContactBinding.contact_index == order.contact_index,
                ContactBinding.expires_at <= order.paid_at,
            )
            .values(**bound)
            .execution_options(synchronize_session=False)
        )


# Telling


def why(found: Attribution) -> list[Sentence]:
    """Why the order is this distributor's, a marked sentence each; moments are still moments."""
    return [*_rule_in_words(found), *_consequences(found)]


def _rule_in_words(found: Attribution) -> Iterator[Sentence]:
    seen = _with_moments(found.evidence)
    if found.rule == AttributionRule.REFERRAL_CODE:
        yield N_("买家下单时用了推广码 %(code)s"), seen
    elif found.rule == AttributionRule.CLICK:
        yield N_("买家在 %(clicked_at)s 打开了分享链接 %(link)s"), seen
        if seen["referrer"]:
            yield N_("是从 %(referrer)s 打开的"), seen
        yield N_("下单时间 %(at)s，在链接的有效期内（到 %(until)s 为止）"), seen
    elif found.rule == AttributionRule.BINDING:
        if seen["until"]:
            yield N_("买家的联系方式从 %(bound_at)s 起绑定，到 %(until)s 为止"), seen
        else:
            yield N_("买家的联系方式从 %(bound_at)s 起长期绑定"), seen
    else:
        yield N_("店员在 %(at)s 更正了归属"), seen


def _consequences(found: Attribution) -> Iterator[Sentence]:
    if found.campaign:
        yield N_("活动：%(campaign)s"), {"campaign": found.campaign}
    if found.earns_nothing_because in NOTHING_BECAUSE:
        yield NOTHING_BECAUSE[found.earns_nothing_because], {}
    elif found.plan_id is None:
        yield N_("下单时还没有公布佣金规则，不产生佣金"), {}


def _with_moments(evidence: Mapping[str, Any]) -> dict[str, Any]:
    """The evidence as it was, its times read back from text."""
    moments = ("at", "clicked_at", "bound_at", "until")
    return {
        name: datetime.fromisoformat(value) if name in moments and value else value
        for name, value in evidence.items()
    }
