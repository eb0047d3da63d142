"""Links that distributors share, and who opened them."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy.orm import joinedload

from app.core import clock, ids
from app.core.db import require_transaction, session
from app.core.errors import N_, Conflict, NotFound, Refusal
from app.domain.catalog.models import Product, ProductState
from app.domain.catalog.queries import PUBLIC
from app.domain.channels.models import Attribution, Click, Distributor, DistributorState, ShareLink

# 30⁸ of them: none is hit by trying, and a QR code of one stays coarse.
CODE_LENGTH = 8
CAMPAIGN_LENGTH = 20
# A page that is loaded again is no other visit.
SAME_VISIT = timedelta(minutes=30)


@dataclass(frozen=True)
class ClickFields:
    """What a click leaves: no address and no whole referrer, only where it was roughly."""

    network: str
    device: str = ""
    referrer: str = ""
    utm: Mapping[str, str] | None = None


@dataclass(frozen=True)
class Reach:
    """A link with how often it was opened and how many orders came of it."""

    link: ShareLink
    clicks: int
    orders: int


def link_of(distributor: Distributor, product: Product | None, campaign: str = "") -> ShareLink:
    """The distributor's link to the product, or without one to the shop: hers, or a new one.

    Raises Refusal for a campaign's name that is too long, Conflict for a product not on sale.
    """
    require_transaction()
    name = " ".join(campaign.split())
    if len(name) > CAMPAIGN_LENGTH:
        raise Refusal(N_("最多 %(most)s 个字"), field="campaign", most=CAMPAIGN_LENGTH)
    if product is not None and product.state != ProductState.ON_SALE:
        raise Conflict(N_("这件商品已经下架"))
    # Two taps at once wait for each other here, so that both get the same link.
    session.scalars(
        sa.select(Distributor.id).where(Distributor.id == distributor.id).with_for_update()
    ).one()
    product_id = product.id if product is not None else None
    found = session.scalars(
        sa.select(ShareLink).where(
            ShareLink.distributor_id == distributor.id,
            ShareLink.product_id == product_id,
            ShareLink.campaign == name,
        )
    ).first()
    if found is not None:
        return found
    made = ShareLink(
        code="".join(secrets.choice(ids.ALPHABET) for _ in range(CODE_LENGTH)),
        distributor_id=distributor.id,
        product_id=product_id,
        campaign=name,
    )
    session.add(made)
    session.flush()
    return made


def open_link(code: str) -> ShareLink | None:
    """The link that somebody opened, with where it leads; None when it counts for nobody."""
    found = session.scalars(
        sa.select(ShareLink)
        .where(ShareLink.code == code.upper())
        .options(joinedload(ShareLink.distributor), joinedload(ShareLink.product))
    ).one_or_none()
    if found is None or found.distributor.state != DistributorState.ACTIVE:
        return None
    return found


def leads_to(link: ShareLink) -> Product | None:
    """The product whose page it opens; None is the shop's own page."""
    product = link.product
    return product if product is not None and product.state in PUBLIC else None


def record(link: ShareLink, fields: ClickFields, click_uid: str = "") -> Click:
    """Keep that the link was opened; within half an hour by the same browser it is the same click.

    `click_uid` is what the browser brought along from its last click.
    """
    require_transaction()
    now = clock.now()
    if click_uid:
        before = session.scalars(sa.select(Click).where(Click.uid == click_uid)).one_or_none()
        if before is not None and before.link_id == link.id and now - before.at < SAME_VISIT:
            return before
    click = Click(
        uid=ids.token(),
        link_id=link.id,
        at=now,
        network=fields.network,
        device=fields.device,
        referrer=fields.referrer,
        utm=dict(fields.utm or {}),
    )
    session.add(click)
    session.flush()
    return click


def find(distributor_id: int, code: str) -> ShareLink:
    """One of the distributor's own links; raises NotFound, also for another's."""
    found = session.scalars(
        sa.select(ShareLink)
        .where(ShareLink.distributor_id == distributor_id, ShareLink.code == code)
        .options(joinedload(ShareLink.product))
    ).one_or_none()
    if found is None:
        raise NotFound(N_("没有找到这个链接"))
    return found


def list_of(distributor_id: int, limit: int = 50) -> list[Reach]:
    """The distributor's newest links, each with its clicks and orders."""
    found = session.scalars(
        sa.select(ShareLink)
        .where(ShareLink.distributor_id == distributor_id)
        .order_by(ShareLink.id.desc())
        .limit(limit)
        .options(joinedload(ShareLink.product))
    ).all()
    return reach_of(found)


def reach_of(found: Sequence[ShareLink]) -> list[Reach]:
    """How far each of the links got, in two queries however many they are."""
    link_ids = [link.id for link in found]
    clicks = _counts(
        sa.select(Click.link_id, sa.func.count())
        .where(Click.link_id.in_(link_ids))
        .group_by(Click.link_id)
    )
    orders = _counts(
        sa.select(Click.link_id, sa.func.count())
        .join(Attribution, Attribution.click_id == Click.id)
        .where(Click.link_id.in_(link_ids))
        .group_by(Click.link_id)
    )
    return [Reach(link, clicks.get(link.id, 0), orders.get(link.id, 0)) for link in found]


def _counts(query: sa.Select[int, int]) -> dict[int, int]:
    return {row[0]: row[1] for row in session.execute(query)}
