"""What begins a recharge, and what staff and buyers do with one besides waiting."""

from app.core import audit, ids
from app.core.crypto import Secret, Tampered
from app.core.db import session
from app.core.errors import N_, Conflict, Refusal
from app.core.outbox import hasten
from app.core.states import move
from app.domain.catalog.models import Product
from app.domain.catalog.recharge_accounts import RechargeAccount, mask
from app.domain.orders import queries as orders
from app.domain.orders import refunding
from app.domain.orders.models import Order, OrderLine
from app.domain.orders.rules import is_owed
from app.domain.recharges import engine, queries
from app.domain.recharges.accounts import seal_account
from app.domain.recharges.models import Attempt, AttemptState, Recharge, RechargeState
from app.domain.redemptions import service as redemptions
from app.domain.redemptions.models import Redemption, RedemptionState

BY_STAFF = (RechargeState.QUEUED, RechargeState.RUNNING, RechargeState.REVIEW)


def begin_line(order_line_id: int) -> int | None:
    """The recharge of a paid line, made if it is not there; None when nothing is owed any more."""
    line = session.get_one(OrderLine, order_line_id)
    order = orders.lock(line.order_id)
    session.refresh(line)
    found = queries.of_lines([order_line_id]).get(order_line_id)
    if found is not None:
        return found.id
    if not is_owed(line) or line.account_sealed is None:
        return None
    try:
        account = orders.open_account(order, line.account_sealed)
    except Tampered:
        # Nobody can know whom to recharge: better her money back than an order that nobody ends.
        refunding.refund_undeliverable(line.id, "its account does not open")
        return None
    return _begin(account, line.product_id, line.quantity, order_line_id=line.id)


def begin_redemption(redemption_id: int) -> int | None:
    """The recharge of a redeemed code, made if it is not there."""
    redemption = redemptions.lock(redemption_id)
    found = queries.of_redemptions([redemption_id]).get(redemption_id)
    if found is not None:
        return found.id
    if redemption.state != RedemptionState.PENDING:
        return None
    account = redemptions.open_account(redemption)
    line = session.get_one(OrderLine, redemption.order_line_id)
    return _begin(account, line.product_id, 1, redemption_id=redemption.id)


def _begin(
    account: Secret,
    product_id: int,
    quantity: int,
    *,
    order_line_id: int | None = None,
    redemption_id: int | None = None,
) -> int:
    uid = ids.token()
    recharge = Recharge(
        uid=uid,
        order_line_id=order_line_id,
        redemption_id=redemption_id,
        product_id=product_id,
        quantity=quantity,
        account_sealed=seal_account(uid, account),
        account_masked=mask(account.reveal()),
    )
    session.add(recharge)
    session.flush()
    return recharge.id


def correct_account(recharge_id: int, text: str) -> None:
    """Recharge another account, while nothing was sent to anybody; raises Refusal, Conflict."""
    recharge = queries.lock(recharge_id)
    if recharge.state != RechargeState.QUEUED or queries.live_attempt(recharge.id) is not None:
        raise Conflict(N_("已经提交给供应商，账号不能再改"))
    account = _parse(recharge, text)
    recharge.account_sealed = seal_account(recharge.uid, account.secret)
    recharge.account_masked = account.masked
    _show_on_line(recharge, account)
    audit.record("recharge.account", "recharges", recharge.id, account=account.masked)
    hasten(engine.job_key(recharge))


def query_now(recharge_id: int) -> None:
    """Ask the provider at once, or look for one at once; raises Conflict."""
    recharge = _lock_open(recharge_id)
    audit.record("recharge.query", "recharges", recharge.id)
    hasten(engine.job_key(recharge))


def reroute(recharge_id: int, reason: str) -> None:
    """Staff know that the provider did not and will not deliver: ask the next one.

    Raises Refusal without a reason, Conflict unless the doubt is a person's to end.
    """
    _check_reason(reason)
    recharge = _lock_open(recharge_id)
    _end_attempt(recharge, AttemptState.REFUSED, reason)
    move(recharge, RechargeState.QUEUED, reason)
    audit.record("recharge.reroute", "recharges", recharge.id, reason=reason)
    hasten(engine.job_key(recharge))


def mark_delivered(recharge_id: int, reason: str) -> None:
    """Staff know that it arrived; raises Refusal without a reason, Conflict."""
    _check_reason(reason)
    recharge = _lock_open(recharge_id)
    _end_attempt(recharge, AttemptState.DELIVERED, reason)
    audit.record("recharge.mark_delivered", "recharges", recharge.id, reason=reason)
    engine.arrive(recharge)


def give_up(recharge_id: int, reason: str) -> None:
    """Staff end it: the money, or the use, goes back. Raises Refusal, Conflict."""
    _check_reason(reason)
    recharge = _lock_open(recharge_id)
    if recharge.state != RechargeState.QUEUED:
        _end_attempt(recharge, AttemptState.REFUSED, reason)
    audit.record("recharge.give_up", "recharges", recharge.id, reason=reason)
    engine.fail(recharge, reason)


def _end_attempt(recharge: Recharge, state: AttemptState, reason: str) -> Attempt:
    """End the attempt that is in review: any other may still be answered by the provider."""
    attempt = queries.live_attempt(recharge.id)
    if recharge.state != RechargeState.REVIEW or attempt is None:
        raise Conflict(N_("供应商还在处理，有了结果才能这样操作"))
    attempt.reason = reason
    engine.settle(attempt, state)
    session.flush()
    return attempt


def to_review(recharge_id: int, reason: str) -> None:
    """Staff take a doubt into their own hands before its time; raises Refusal, Conflict."""
    _check_reason(reason)
    recharge = _lock_open(recharge_id)
    attempt = queries.live_attempt(recharge.id)
    if attempt is None or attempt.state not in (AttemptState.PENDING, AttemptState.UNKNOWN):
        raise Conflict(N_("这笔充值现在不需要人工处理"))
    engine.review(recharge, attempt, reason.strip())


def settle_contradiction(recharge_id: int, reason: str) -> None:
    """Staff have cleared up with the provider what it said twice; raises Refusal, Conflict."""
    _check_reason(reason)
    recharge = queries.lock(recharge_id)
    said = [one for one in queries.attempts_of(recharge.id) if one.contradiction]
    if not said:
        raise Conflict(N_("这笔充值没有需要对账的地方"))
    for attempt in said:
        audit.record(
            "recharge.contradiction_settled",
            "recharges",
            recharge.id,
            reason=reason.strip(),
            said=attempt.contradiction,
        )
        attempt.contradiction = ""


def _lock_open(recharge_id: int) -> Recharge:
    recharge = queries.lock(recharge_id)
    if recharge.state not in BY_STAFF:
        raise Conflict(N_("这笔充值已经有结果了"))
    return recharge


def _check_reason(reason: str) -> None:
    if len(reason.strip()) < 4:
        raise Refusal(N_("请写明原因，至少 4 个字"), field="reason")


def _parse(recharge: Recharge, text: str) -> RechargeAccount:
    product = session.get_one(Product, recharge.product_id)
    assert product.account_format is not None
    return RechargeAccount.parse(product.account_format, text)


def _show_on_line(recharge: Recharge, account: RechargeAccount) -> None:
    """What the order and the redemption say about the account goes along."""
    if recharge.order_line_id is not None:
        line = session.get_one(OrderLine, recharge.order_line_id)
        line.account_masked = account.masked
        line.account_sealed = orders.seal_account(session.get_one(Order, line.order_id), account)
    else:
        redemption = session.get_one(Redemption, recharge.redemption_id)
        redemption.account_masked = account.masked
        redemption.account_sealed = redemptions.seal_account(redemption.key, account.secret)
