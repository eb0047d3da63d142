"""How distributors, their invitations and tiers are found and locked."""

from collections.abc import Sequence

import sqlalchemy as sa

from app.core import clock, ids
from app.core.db import session
from app.core.errors import N_, NotFound
from app.domain.channels.models import (
    MAX_DEPTH,
    Distributor,
    DistributorInvitation,
    DistributorState,
    Tier,
)


def distributors() -> sa.Select[Distributor]:
    """All of them, in every state."""
    return sa.select(Distributor)


def find(uid: str) -> Distributor:
    """The distributor behind an address of the console; raises NotFound."""
    found = session.scalar(
        distributors().where(Distributor.uid == uid).execution_options(populate_existing=True)
    )
    if found is None:
        raise NotFound(N_("没有找到这个分销商"))
    return found


def find_of(person_id: int) -> Distributor | None:
    """What this person is as a distributor, in whatever state; None when she never applied."""
    return session.scalar(
        distributors()
        .where(Distributor.person_id == person_id)
        .execution_options(populate_existing=True)
    )


def find_active_by_code(code: str) -> Distributor | None:
    """Who sells under this code, however it was typed; None for a code nobody sells under now."""
    return session.scalar(
        distributors().where(
            Distributor.code == code.strip().upper(), Distributor.state == DistributorState.ACTIVE
        )
    )


def lock(distributor_id: int) -> Distributor:
    """The distributor as she is now, locked until the unit ends."""
    found = session.scalar(
        distributors()
        .where(Distributor.id == distributor_id)
        .with_for_update(of=Distributor)
        .execution_options(populate_existing=True)
    )
    if found is None:
        raise NotFound(N_("没有找到这个分销商"))
    return found


def line_of(distributor_id: int) -> list[Distributor]:
    """Who is asked about an order of hers: first she herself, then her parent; never more than
    MAX_DEPTH, however long the line above her is.

    Those who are not active keep their place in it, and earn nothing: nobody moves down into it,
    because that would be a third level paid under another name. Look at `state`.
    """
    line: list[Distributor] = []
    next_id: int | None = distributor_id
    while next_id is not None and len(line) < MAX_DEPTH:
        line.append(session.get_one(Distributor, next_id))
        next_id = line[-1].parent_id
    return line


def children_of(distributor_id: int) -> sa.Select[Distributor]:
    """Who joined under her."""
    return distributors().where(Distributor.parent_id == distributor_id)


def count_children(distributor_ids: Sequence[int]) -> dict[int, int]:
    """How many joined under each of them; those under whom nobody did are left out."""
    rows = session.execute(
        sa.select(Distributor.parent_id, sa.func.count())
        .where(Distributor.parent_id.in_(distributor_ids))
        .group_by(Distributor.parent_id)
    )
    return {parent_id: count for parent_id, count in rows if parent_id is not None}


def find_invitation(token: str) -> DistributorInvitation:
    """The invitation behind a link, as long as it is good; raises NotFound."""
    return _invitation(token)


def lock_invitation(token: str) -> DistributorInvitation:
    """The same, locked: two who open one link at once meet here one after the other."""
    return _invitation(token, is_locked=True)


def count_open_invitations(distributor_id: int) -> int:
    """How many links of hers could still be used."""
    return int(
        session.scalar(
            sa.select(sa.func.count()).where(
                DistributorInvitation.parent_id == distributor_id,
                DistributorInvitation.used_at.is_(None),
                DistributorInvitation.expires_at > clock.now(),
            )
        )
        or 0
    )


def _invitation(token: str, *, is_locked: bool = False) -> DistributorInvitation:
    # Whoever is suspended invites nobody, with the links she gave out before neither.
    parent_is_active = sa.exists().where(
        Distributor.id == DistributorInvitation.parent_id,
        Distributor.state == DistributorState.ACTIVE,
    )
    wanted = (
        sa.select(DistributorInvitation)
        .where(
            DistributorInvitation.token_hash == ids.hash_token(token),
            DistributorInvitation.used_at.is_(None),
            DistributorInvitation.expires_at > clock.now(),
            sa.or_(DistributorInvitation.parent_id.is_(None), parent_is_active),
        )
        .execution_options(populate_existing=True)
    )
    found = session.scalar(wanted.with_for_update() if is_locked else wanted)
    if found is None:
        raise NotFound(N_("这个邀请链接已经用过或过期，请向邀请你的人要一个新的"))
    return found


def list_tiers() -> list[Tier]:
    """From the one that everybody begins in upwards."""
    return list(session.scalars(sa.select(Tier).order_by(Tier.threshold)))


def count_by_tier() -> dict[int, int]:
    """How many distributors who sell are in each tier."""
    rows = session.execute(
        sa.select(Distributor.tier_id, sa.func.count())
        .where(Distributor.state == DistributorState.ACTIVE)
        .group_by(Distributor.tier_id)
    )
    return {tier_id: int(count) for tier_id, count in rows}


def find_tier(tier_id: int) -> Tier:
    """Raises NotFound."""
    tier = session.get(Tier, tier_id)
    if tier is None:
        raise NotFound(N_("没有找到这个等级"))
    return tier


def lock_tier(tier_id: int) -> Tier:
    """The tier, locked and read afresh; raises NotFound."""
    tier = session.get(Tier, tier_id, with_for_update=True, populate_existing=True)
    if tier is None:
        raise NotFound(N_("没有找到这个等级"))
    return tier
