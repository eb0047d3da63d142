"""The verbs of a withdrawal: asked for, looked at, refused, paid once more, given back.

Money leaves her balance when she asks and stands in `payout_pending` until it is paid or given
back; paying itself is in `paying.py`. Everything happens under her row's lock, so two requests at
once cannot spend the same fen.
"""

from dataclasses import dataclass

from app.core import audit, clock, ids
from app.core.actors import actor
from app.core.db import session
from app.core.errors import N_, Conflict, NotFound, Refusal
from app.core.money import yuan
from app.core.states import move
from app.domain.catalog import preferences
from app.domain.channels.models import DistributorState
from app.domain.ledger import service as ledger
from app.domain.payouts import claims, queries, screening, tax
from app.domain.payouts.models import AccountState, PayoutAccount, Withdrawal, WithdrawalState
from app.domain.risk.models import Action
from app.domain.risk.visits import Visit
from app.providers import payouts

REASON_LEAST = 2


@dataclass(frozen=True)
class Wish:
    """What she asks for: so much (minor units) to this account of hers; `key` is the form's own."""

    account_uid: str
    gross: int
    key: str


def request(distributor_id: int, wish: Wish, visit: Visit | None = None) -> Withdrawal:
    """Take it out of her balance and put it before staff; raises Refusal, Conflict, NotFound.

    The same form sent again gives the same withdrawal. Risk is asked about whoever comes by a page.
    """
    holder = queries.lock_distributor(distributor_id)
    key = ids.hash_token(f"{distributor_id}:{wish.key}")
    already = queries.find_by_request_key(distributor_id, key)
    if already is not None:
        return already
    if holder.state != DistributorState.ACTIVE:
        raise Conflict(N_("你的分销资格目前不能提现，请联系店家"))
    account = _account(distributor_id, wish.account_uid)
    _check_amount(distributor_id, wish.gross, queries.payable(holder.uid))
    decided = screening.withdraw(visit, holder, account, wish.gross) if visit else None
    is_doubtful = decided is not None and decided.action == Action.HOLD
    now, fee = clock.now(), preferences.get().payout_fee
    withdrawal = Withdrawal(
        number=ids.number(now, 13),
        request_key=key,
        distributor_id=distributor_id,
        account_id=account.id,
        gross=wish.gross,
        fee=fee,
        net=wish.gross - fee,
        tax_trace=[],
        risk_decision=decided.row.uid if decided and is_doubtful else "",
        requested_at=now,
    )
    session.add(withdrawal)
    session.flush()
    claims.claim(withdrawal)
    ledger.post(
        f"payout_request:{withdrawal.id}",
        "payout_requested",
        "withdrawals",
        withdrawal.id,
        {
            f"commission_payable:{holder.uid}": wish.gross,
            f"payout_pending:{holder.uid}": -wish.gross,
        },
        currency=withdrawal.currency,
    )
    return withdrawal


def _account(distributor_id: int, uid: str) -> PayoutAccount:
    try:
        account = queries.find_account(distributor_id, uid)
    except NotFound:
        raise Refusal(N_("请选择收款账户"), field="account") from None
    if account.state != AccountState.ACTIVE:
        raise Refusal(N_("这个账户已停用，请选择另一个"), field="account")
    return account


def _check_amount(distributor_id: int, gross: int, payable: int) -> None:
    """Within her balance and what the merchant allows a day; raises Refusal."""
    rules = preferences.get()
    if gross > payable:
        raise Refusal(N_("最多可以提现 %(most)s 元"), field="amount", most=yuan(max(payable, 0)))
    if gross < rules.payout_minimum:
        raise Refusal(
            N_("每次至少提现 %(least)s 元"), field="amount", least=yuan(rules.payout_minimum)
        )
    count, amount = queries.asked_today(distributor_id)
    if count >= rules.payout_daily_count:
        raise Refusal(
            N_("每天最多提现 %(most)s 次，请明天再来"),
            field="amount",
            most=rules.payout_daily_count,
        )
    if amount + gross > rules.payout_daily_amount:
        raise Refusal(
            N_("今天还可以提现 %(left)s 元"),
            field="amount",
            left=yuan(max(rules.payout_daily_amount - amount, 0)),
        )


def cancel(distributor_id: int, number: str) -> None:
    """She takes it back herself, before anybody has approved it; raises Conflict."""
    withdrawal = queries.lock(queries.find_for(distributor_id, number).id)
    if withdrawal.state != WithdrawalState.REQUESTED:
        raise Conflict(N_("这笔提现已经审核，不能撤回了"))
    _give_back(withdrawal)


def approve(withdrawal_id: int) -> bool:
    """A member of staff has looked and agrees; False when a second one has to look as well.

    Raises Conflict for one that is not to be reviewed, for whoever has looked already where two
    have to, and for a withdrawal of one's own.
    """
    withdrawal = queries.lock(withdrawal_id)
    me, needs_two = actor(), bool(queries.reasons_to_check(withdrawal))
    if withdrawal.state != WithdrawalState.REQUESTED:
        raise Conflict(N_("这笔提现已经审核过了"))
    if me == f"person:{withdrawal.distributor.person_id}":
        raise Conflict(N_("自己的提现要由同事审核"))
    if screening.is_frozen(withdrawal.distributor):
        raise Conflict(N_("这位分销商已被冻结，请先在风控的限制列表里解除，或者拒绝这笔提现"))
    if needs_two and withdrawal.checked_by == me:
        raise Conflict(N_("你已经审核过这笔提现，请另一位同事复核"))
    if needs_two and not withdrawal.checked_by:
        withdrawal.checked_by = me
        audit.record("withdrawal.check", "withdrawals", withdrawal.id, gross=withdrawal.gross)
        return False
    withdrawal.approved_by = me
    withdrawal.approved_at = clock.now()
    move(withdrawal, WithdrawalState.APPROVED)
    audit.record("withdrawal.approve", "withdrawals", withdrawal.id, gross=withdrawal.gross)
    return True


def refuse(withdrawal_id: int, reason: str) -> None:
    """Staff will not pay it, or give back what came back; raises Refusal, Conflict.

    The money is hers to withdraw again.
    """
    if len(reason.strip()) < REASON_LEAST:
        raise Refusal(N_("请写明原因，对方会看到"), field="reason")
    withdrawal = queries.lock(withdrawal_id)
    if WithdrawalState.REFUSED not in withdrawal.MOVES[withdrawal.state]:
        raise Conflict(N_("这笔提现现在不能拒绝"))
    audit.record("withdrawal.refuse", "withdrawals", withdrawal.id, reason=reason.strip())
    _give_back(withdrawal, reason.strip())


def _give_back(withdrawal: Withdrawal, reason: str = "") -> None:
    move(withdrawal, WithdrawalState.REFUSED, reason)
    withdrawal.reason = reason
    withdrawal.settled_at = clock.now()
    uid = withdrawal.distributor.uid
    claims.release(withdrawal)
    tax.release(withdrawal.id)
    ledger.post(
        f"payout_back:{withdrawal.id}",
        "payout_given_back",
        "withdrawals",
        withdrawal.id,
        {f"payout_pending:{uid}": withdrawal.gross, f"commission_payable:{uid}": -withdrawal.gross},
        currency=withdrawal.currency,
        memo=reason,
    )


def pay_again(withdrawal_id: int, reason: str) -> None:
    """What came back goes into the next batch, under the same number; raises Conflict, Refusal.

    Not when the channel had paid it under this number: it would only say so again.
    """
    if len(reason.strip()) < REASON_LEAST:
        raise Refusal(N_("请写明原因"), field="reason")
    withdrawal = queries.lock(withdrawal_id)
    if withdrawal.state != WithdrawalState.RETURNED:
        raise Conflict(N_("这笔提现现在不能重新打款"))
    if not can_pay_again(withdrawal):
        raise Conflict(N_("渠道已经用掉了这个单号，请退回余额，让对方重新提现"))
    move(withdrawal, WithdrawalState.APPROVED, reason.strip())
    withdrawal.batch_id = None
    withdrawal.settled_at = None
    audit.record("withdrawal.pay_again", "withdrawals", withdrawal.id, reason=reason.strip())


def can_pay_again(withdrawal: Withdrawal) -> bool:
    """Whether its channel would pay under its number: it never did, or a person does it."""
    if withdrawal.state != WithdrawalState.RETURNED:
        return False
    by_staff = not payouts.provider(withdrawal.method).pays_by_itself
    return by_staff or not withdrawal.reference
