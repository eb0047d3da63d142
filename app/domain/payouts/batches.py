"""Batches: approved withdrawals are gathered by the way they go out, and submitted together."""

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from app.core import audit, clock, ids
from app.core.actors import actor
from app.core.db import session
from app.core.errors import N_, Conflict, NotFound, Refusal
from app.core.outbox import later
from app.core.states import move
from app.domain.payouts import paying, queries, screening, tax
from app.domain.payouts.models import (
    AccountState,
    PayoutAccount,
    PayoutBatch,
    Withdrawal,
    WithdrawalState,
)
from app.providers import payouts
from app.providers.payouts.bank_file import ResultRow
from app.providers.payouts.interface import UnknownProvider

# As many as banks take in one file.
MOST = 500
# Where staff have brought what came back.
AFTER_RETURN = (WithdrawalState.APPROVED, WithdrawalState.REFUSED)


@dataclass(frozen=True)
class Submitted:
    """How many went out with a batch, and how many were put back because they cannot."""

    sent: int
    put_back: int


def gather(method: str) -> PayoutBatch:
    """Put what is approved and can go out this way into a new batch; raises Refusal, Conflict."""
    try:
        provider = payouts.provider(method)
    except UnknownProvider:
        raise Refusal(N_("请选择打款方式"), field="method") from None
    rows = session.execute(
        sa.select(Withdrawal.id)
        .join(PayoutAccount, PayoutAccount.id == Withdrawal.account_id)
        .where(queries.can_be_gathered(), PayoutAccount.kind.in_(provider.kinds))
        # In the order of distributors: whoever locks several must lock them alike.
        .order_by(Withdrawal.distributor_id, Withdrawal.id)
        .limit(MOST)
    )
    locked = [queries.lock(withdrawal_id) for (withdrawal_id,) in rows.all()]
    taken = [one for one in locked if _is_free(one)]
    if not taken:
        raise Conflict(N_("现在没有可以这样打款的提现"))
    now = clock.now()
    batch = PayoutBatch(
        number=ids.number(now, 13), method=method, created_by=actor(), created_at=now
    )
    session.add(batch)
    session.flush()
    for withdrawal in taken:
        withdrawal.batch_id = batch.id
    audit.record("payout_batch.gather", "payout_batches", batch.id, count=len(taken), method=method)
    session.flush()
    return batch


def _is_free(withdrawal: Withdrawal) -> bool:
    is_free = withdrawal.state == WithdrawalState.APPROVED and withdrawal.batch_id is None
    return is_free and not screening.is_frozen(withdrawal.distributor)


def submit(batch_id: int) -> Submitted:
    """The intent to pay each of it, with its tax; a channel is called by a job after the commit.

    What must not be paid any more is put back, and says why. Raises Conflict when it was submitted.
    """
    batch = _lock(batch_id)
    if batch.submitted_at is not None:
        raise Conflict(N_("这个批次已经提交"))
    batch.submitted_at = clock.now()
    batch.submitted_by = actor()
    waiting = sorted(queries.in_batch(batch.id), key=lambda one: (one.distributor_id, one.id))
    sent = sum(_submit(queries.lock(one.id), batch) for one in waiting)
    submitted = Submitted(sent, len(waiting) - sent)
    audit.record(
        "payout_batch.submit",
        "payout_batches",
        batch.id,
        sent=submitted.sent,
        put_back=submitted.put_back,
    )
    return submitted


def _submit(withdrawal: Withdrawal, batch: PayoutBatch) -> bool:
    if withdrawal.state != WithdrawalState.APPROVED or withdrawal.batch_id != batch.id:
        return False
    provider = payouts.provider(batch.method)
    now = clock.now()
    try:
        _check_account(withdrawal.account)
        withdrawal.submitted_at = now
        withheld = tax.withhold(withdrawal)
        net = withdrawal.gross - withdrawal.fee - withheld.tax
        if net <= 0:
            raise Refusal(N_("扣除税费后没有可付的金额"))
    except Refusal as refusal:
        withdrawal.submitted_at = None
        withdrawal.batch_id = None
        withdrawal.reason = str(refusal)
        session.flush()
        return False
    withdrawal.tax, withdrawal.net = withheld.tax, net
    withdrawal.tax_method, withdrawal.tax_trace = withheld.method, list(withheld.trace)
    withdrawal.method = batch.method
    withdrawal.tries += 1
    withdrawal.queries = 0
    withdrawal.sent_at = None
    withdrawal.reason = withdrawal.reference = ""
    move(withdrawal, WithdrawalState.PAYING)
    session.flush()
    if provider.pays_by_itself:
        key = paying.job_key(withdrawal)
        later("app.domain.payouts.jobs.pay", withdrawal.id, key=key)
    return True


def _check_account(account: PayoutAccount) -> None:
    if account.state != AccountState.ACTIVE:
        raise Refusal(N_("收款账户已停用"))
    if account.usable_at > clock.now():
        raise Refusal(N_("收款账户还在 24 小时冷静期内"))


def take_out(withdrawal_id: int) -> None:
    """Keep one back before its batch is submitted; raises Conflict."""
    withdrawal = queries.lock(withdrawal_id)
    if withdrawal.state != WithdrawalState.APPROVED or withdrawal.batch_id is None:
        raise Conflict(N_("这笔提现不在待提交的批次里"))
    audit.record("payout_batch.take_out", "withdrawals", withdrawal.id)
    withdrawal.batch_id = None


def take_results(batch_id: int, rows: Sequence[ResultRow]) -> tuple[int, int]:
    """The bank's answer to a batch, all of it or (Refusal) nothing: how many paid, and returned.

    A line that was taken before, by hand or from the same file, changes nothing.
    """
    batch = _lock(batch_id)
    if batch.submitted_at is None or payouts.provider(batch.method).pays_by_itself:
        raise Conflict(N_("这个批次不能导入结果"))
    by_number = {one.number: one for one in queries.in_batch(batch.id)}
    counts = {True: 0, False: 0}
    for row in rows:
        withdrawal = by_number.get(row.number)
        if withdrawal is None:
            raise Refusal(N_("第 %(line)s 行的单号不在这个批次里"), field="file", line=row.line)
        if row.amount is not None and row.amount != withdrawal.net:
            raise Refusal(N_("第 %(line)s 行的金额不对"), field="file", line=row.line)
        counts[row.is_paid] += _take_row(withdrawal, row)
    audit.record(
        "payout_batch.results",
        "payout_batches",
        batch.id,
        paid=counts[True],
        returned=counts[False],
    )
    return counts[True], counts[False]


def _take_row(withdrawal: Withdrawal, row: ResultRow) -> bool:
    ends = WithdrawalState.PAID if row.is_paid else WithdrawalState.RETURNED
    is_taken = withdrawal.state == ends or (not row.is_paid and withdrawal.state in AFTER_RETURN)
    if is_taken:
        return False
    if ends not in withdrawal.MOVES[withdrawal.state]:
        raise Refusal(N_("第 %(line)s 行的提现已经有别的结果"), field="file", line=row.line)
    if row.is_paid:
        paying.confirm_by_hand(withdrawal.id, row.reference or withdrawal.number)
    else:
        paying.return_by_hand(withdrawal.id, row.reason or "returned by the bank")
    return True


def _lock(batch_id: int) -> PayoutBatch:
    found = session.get(PayoutBatch, batch_id, with_for_update=True, populate_existing=True)
    if found is None:
        raise NotFound(N_("没有找到这个批次"))
    return found
