"""What staff do to one commission: keep it back while something is looked into, and let it go."""

from collections.abc import Callable

import sqlalchemy as sa

from app.core import audit, clock
from app.core.db import session
from app.core.errors import N_, Conflict, NotFound, Refusal
from app.core.states import StateChange, move
from app.domain.channels.commission import DOUBTED, account_of, move_money
from app.domain.channels.models import Commission, CommissionState, Distributor
from app.domain.orders import queries as orders
from app.domain.orders.models import Order

HOLDABLE = (CommissionState.HOLDING, CommissionState.PAYABLE)
REASON_LENGTH = 200
DOUBT_ENDED = "doubt ended"


def hold(commission_id: int, reason: str) -> None:
    """Keep it back: it cannot be withdrawn until it is released. Audited.

    Raises Refusal without a reason, Conflict when it cannot be kept back any more or yet, NotFound.
    """
    _change(commission_id, "commission.hold", reason, _hold)


def release(commission_id: int, reason: str) -> None:
    """Let it go: to be withdrawn at once, or when its holding period is over. Audited."""
    _change(commission_id, "commission.release", reason, _release)


def end_doubt(commission_id: int) -> None:
    """The time is over for which risk kept it back: let it go, if nobody has done that already."""
    latest = session.scalar(
        sa.select(StateChange.note)
        .where(
            StateChange.subject == Commission.__tablename__,
            StateChange.subject_id == commission_id,
        )
        .order_by(StateChange.id.desc())
        .limit(1)
    )
    if latest == DOUBTED:
        _change(commission_id, "commission.release", DOUBT_ENDED, _release)


def _hold(one: Commission) -> CommissionState:
    if one.state not in HOLDABLE:
        raise Conflict(N_("只有待结算和可提现的佣金可以暂扣，请刷新页面查看现在的状态"))
    one.payable_at = None
    return CommissionState.ON_HOLD


def _release(one: Commission) -> CommissionState:
    if one.state != CommissionState.ON_HOLD:
        raise Conflict(N_("这笔佣金没有被暂扣，请刷新页面查看现在的状态"))
    now = clock.now()
    if one.eligible_at is not None and one.eligible_at > now:
        return CommissionState.HOLDING
    one.payable_at = now
    return CommissionState.PAYABLE


def _change(
    commission_id: int, action: str, reason: str, decide: Callable[[Commission], CommissionState]
) -> None:
    why = reason.strip()[:REASON_LENGTH]
    if len(why) < 2:
        raise Refusal(N_("请写明原因"), field="reason")
    one, order, distributor = _lock(commission_id)
    from_account = account_of(one.state, distributor)
    to = decide(one)
    to_account, kept = account_of(to, distributor), one.amount - one.reversed
    if from_account != to_account:
        # It may be held and released more than once: each step is an event of its own.
        key = f"{to}:{_count_steps(one)}"
        move_money(
            one, order, key, action.replace(".", "_"), {from_account: kept, to_account: -kept}
        )
    move(one, to, why)
    audit.record(action, "commissions", one.id, reason=why, amount=kept)
    session.flush()


def _lock(commission_id: int) -> tuple[Commission, Order, Distributor]:
    """In the order of `commission.settle`: order, distributor, commission."""
    found = session.get(Commission, commission_id)
    if found is None:
        raise NotFound(N_("没有找到这笔佣金"))
    order = orders.lock(found.order_id)
    distributor = session.scalars(
        sa.select(Distributor)
        .where(Distributor.id == found.distributor_id)
        .with_for_update(of=Distributor, key_share=True)
        .execution_options(populate_existing=True)
    ).one()
    one = session.get_one(Commission, commission_id, with_for_update=True, populate_existing=True)
    return one, order, distributor


def _count_steps(one: Commission) -> int:
    count = sa.select(sa.func.count(StateChange.id)).where(
        StateChange.subject == Commission.__tablename__, StateChange.subject_id == one.id
    )
    return int(session.scalar(count) or 0)
