"""How somebody becomes a distributor, and stops being one.

Joining is free, nothing has to be bought for it, and nobody is paid for bringing others:
禁止传销条例 art. 7 (1) and (2) forbid pay by headcount and entry fees. So there is no amount
anywhere in this file.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from app.core import audit, clock, ids, states
from app.core.actors import actor
from app.core.crypto import Secret
from app.core.db import require_transaction, session
from app.core.errors import N_, Conflict, Refusal
from app.domain.accounts import queries as people
from app.domain.channels import queries, tiers
from app.domain.channels.models import (
    Distributor,
    DistributorInvitation,
    DistributorState,
)

NAME_LENGTH = 30
INTRODUCTION_LENGTH = 500
REASON_LENGTH = 200
INVITATION_LASTS = timedelta(days=7)
# More links than that, unused and all good at once, are no invitations any more.
MOST_OPEN_INVITATIONS = 20
# Typed from a poster: 30⁷ of them, so that a guess finds nobody's.
CODE_SYMBOLS = 7

APPLY_AGAIN_WHY_NOT = {
    DistributorState.APPLIED: N_("你的申请正在审核，不用再提交"),
    DistributorState.ACTIVE: N_("你已经是分销商，不用再申请"),
    DistributorState.SUSPENDED: N_("你的分销资格已暂停，请联系客服"),
}


@dataclass(frozen=True)
class Application:
    """What she says of herself: how she is called as a seller, and where she will sell."""

    name: str
    introduction: str


@dataclass(frozen=True)
class Invitation:
    """The token of a link by which one person may join; it is shown once."""

    token: Secret
    expires_at: datetime


def apply(person_id: int, application: Application, token: str = "") -> Distributor:
    """Ask to sell for the shop; with an invitation's `token`, under whoever invited her.

    Who was refused may ask again. Raises Refusal for what is missing, Conflict when she has asked
    already, NotFound for a link that is no longer good.
    """
    require_transaction()
    application = checked(application)
    # Two forms of one person, sent at once, meet here one after the other.
    people.lock(person_id)
    found = queries.find_of(person_id)
    if found is not None and found.state != DistributorState.REFUSED:
        raise Conflict(APPLY_AGAIN_WHY_NOT[found.state])
    invitation = queries.lock_invitation(token) if token else None
    if found is None:
        distributor = _join(person_id, application, invitation)
    else:
        distributor = _apply_again(found.id, application, invitation)
    if invitation is not None:
        invitation.used_by_id, invitation.used_at = distributor.id, clock.now()
    audit.record("distributor.apply", "distributors", distributor.id, invited=bool(invitation))
    session.flush()
    return distributor


def invite(distributor_id: int) -> Invitation:
    """A distributor's own link: who joins by it has her as parent, and she earns nothing by that.

    Raises Conflict unless she sells, and when too many of her links are still unused.
    """
    parent = queries.lock(distributor_id)
    if parent.state != DistributorState.ACTIVE:
        raise Conflict(N_("只有合作中的分销商可以邀请"))
    if queries.count_open_invitations(parent.id) >= MOST_OPEN_INVITATIONS:
        raise Conflict(
            N_("还有 %(most)s 个没用的邀请链接，请先发出去，或等它们过期"),
            most=MOST_OPEN_INVITATIONS,
        )
    return _new_invitation(parent.id, None)


def invite_for_shop(parent_code: str = "", tier_id: int | None = None) -> Invitation:
    """A link made by staff; who joins by it begins in the tier, and under the distributor whose
    code was typed. Raises Refusal for a code nobody sells under, NotFound for a tier."""
    require_transaction()
    parent = queries.find_active_by_code(parent_code) if parent_code.strip() else None
    if parent_code.strip() and parent is None:
        raise Refusal(N_("没有合作中的分销商用这个推广码"), field="parent_code")
    tier = queries.find_tier(tier_id) if tier_id is not None else None
    return _new_invitation(parent.id if parent else None, tier.id if tier else None)


def approve(distributor_id: int) -> None:
    """She may sell from now on. Raises Conflict when that is not open any more, or is one's own."""
    distributor = _lock_if(distributor_id, DistributorState.APPLIED)
    distributor.state_reason = ""
    distributor.approved_at = clock.now()
    states.move(distributor, DistributorState.ACTIVE)
    audit.record("distributor.approve", "distributors", distributor.id)
    tiers.watch()
    session.flush()


def refuse(distributor_id: int, reason: str) -> None:
    """Not now, and why; she reads the reason and may apply again."""
    why = checked_reason(reason)
    distributor = _lock_if(distributor_id, DistributorState.APPLIED)
    distributor.state_reason = why
    states.move(distributor, DistributorState.REFUSED, why)
    audit.record("distributor.refuse", "distributors", distributor.id, reason=why)
    session.flush()


def suspend(distributor_id: int, reason: str) -> None:
    """She sells no more until she is restored: what she has earned stays hers."""
    why = checked_reason(reason)
    distributor = _lock_if(distributor_id, DistributorState.ACTIVE)
    distributor.state_reason = why
    states.move(distributor, DistributorState.SUSPENDED, why)
    audit.record("distributor.suspend", "distributors", distributor.id, reason=why)
    session.flush()


def restore(distributor_id: int, reason: str) -> None:
    """She sells again, in the tier she had."""
    why = checked_reason(reason)
    distributor = _lock_if(distributor_id, DistributorState.SUSPENDED)
    distributor.state_reason = ""
    states.move(distributor, DistributorState.ACTIVE, why)
    audit.record("distributor.restore", "distributors", distributor.id, reason=why)
    session.flush()


def checked(application: Application) -> Application:
    """The application as it is kept; raises Refusal for the first field that is not good."""
    name, introduction = application.name.strip(), application.introduction.strip()
    if not 1 <= len(name) <= NAME_LENGTH:
        raise Refusal(N_("名称要有 1 到 %(most)s 个字"), field="name", most=NAME_LENGTH)
    if not 2 <= len(introduction) <= INTRODUCTION_LENGTH:
        raise Refusal(
            N_("请写明在哪里卖，2 到 %(most)s 个字"), field="introduction", most=INTRODUCTION_LENGTH
        )
    return Application(name, introduction)


def checked_reason(reason: str) -> str:
    """Why, for her and for the audit log; raises Refusal when nothing is said."""
    why = reason.strip()[:REASON_LENGTH]
    if len(why) < 2:
        raise Refusal(N_("请写明原因"), field="reason")
    return why


def _join(
    person_id: int, application: Application, invitation: DistributorInvitation | None
) -> Distributor:
    default = tiers.ensure_default()
    distributor = Distributor(
        uid=ids.token(),
        code="".join(secrets.choice(ids.ALPHABET) for _ in range(CODE_SYMBOLS)),
        person_id=person_id,
        parent_id=invitation.parent_id if invitation else None,
        tier_id=(invitation and invitation.tier_id) or default.id,
        name=application.name,
        introduction=application.introduction,
    )
    session.add(distributor)
    session.flush()
    states.record("distributors", distributor.id, "", DistributorState.APPLIED)
    return distributor


def _apply_again(
    distributor_id: int, application: Application, invitation: DistributorInvitation | None
) -> Distributor:
    distributor = queries.lock(distributor_id)
    if invitation is not None and invitation.parent_id not in (None, distributor.parent_id):
        raise Conflict(N_("上级在第一次申请时就定下了，不能更改。请不用邀请链接，直接再次申请"))
    distributor.name, distributor.introduction = application.name, application.introduction
    distributor.applied_at, distributor.state_reason = clock.now(), ""
    if invitation is not None and invitation.tier_id is not None:
        distributor.tier_id = invitation.tier_id
    states.move(distributor, DistributorState.APPLIED)
    return distributor


def _new_invitation(parent_id: int | None, tier_id: int | None) -> Invitation:
    token, expires_at = Secret(ids.token()), clock.now() + INVITATION_LASTS
    invitation = DistributorInvitation(
        token_hash=ids.hash_token(token.reveal()),
        parent_id=parent_id,
        tier_id=tier_id,
        created_by=actor(),
        expires_at=expires_at,
    )
    session.add(invitation)
    session.flush()
    audit.record(
        "distributor.invite",
        "distributor_invitations",
        invitation.id,
        parent_id=parent_id,
        tier_id=tier_id,
    )
    return Invitation(token, expires_at)


def _lock_if(distributor_id: int, state: DistributorState) -> Distributor:
    """The distributor, locked, for whoever decides about her while she is in `state`."""
    distributor = queries.lock(distributor_id)
    if actor() == f"person:{distributor.person_id}":
        raise Conflict(N_("不能处理自己的分销资格，请让另一位成员来"))
    if distributor.state != state:
        raise Conflict(N_("对方的状态已经变化，请刷新页面查看"))
    return distributor
