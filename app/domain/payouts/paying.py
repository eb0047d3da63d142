"""Paying a withdrawal: what to do next, and what became of it.

`next_step` writes the intent under the lock; a job calls with no transaction open; `take` writes
what came of it. Staff who pay themselves, and a channel's callback, come through `take` as well.
"""

from dataclasses import dataclass
from datetime import datetime

from app.core import audit, clock
from app.core.db import session
from app.core.errors import N_, Conflict, Refusal
from app.core.outbox import hasten, later
from app.core.states import can_move, move
from app.domain.catalog import preferences
from app.domain.ledger import service as ledger
from app.domain.payouts import accounts, claims, queries
from app.domain.payouts.models import UNDER_WAY, Withdrawal, WithdrawalState
from app.domain.payouts.rules import LOOK_BACK_AFTER, next_query
from app.providers import payouts
from app.providers.payouts.interface import Outcome, Payee, Result, Transfer

ENDS = {Outcome.PAID: WithdrawalState.PAID, Outcome.AWAITING_PAYEE: WithdrawalState.AWAITING_PAYEE}
CAME_BACK = (Outcome.REFUSED, Outcome.RETURNED)
REFERENCE_LEAST = 4


@dataclass(frozen=True)
class Step:
    """What a job does next about a submission: send it, or ask what became of it."""

    is_first: bool
    tries: int
    method: str
    sent_at: datetime | None
    transfer: Transfer


def next_step(withdrawal_id: int) -> Step | None:
    """The intent, committed before the channel is called; None when nothing is left to do.

    Found with its intent written it is doubt: whoever wrote it may have called.
    """
    withdrawal = queries.lock(withdrawal_id)
    is_first = withdrawal.state == WithdrawalState.PAYING and withdrawal.sent_at is None
    is_watched = withdrawal.state == WithdrawalState.PAID and withdrawal.queries < len(
        LOOK_BACK_AFTER
    )
    if withdrawal.state not in UNDER_WAY and not is_watched:
        return None
    if is_first:
        withdrawal.sent_at = clock.now()
    return Step(
        is_first, withdrawal.tries, withdrawal.method, withdrawal.sent_at, transfer_of(withdrawal)
    )


def transfer_of(withdrawal: Withdrawal) -> Transfer:
    """What a provider is to pay, opened for the call alone."""
    account = withdrawal.account
    return Transfer(
        number=withdrawal.number,
        amount=withdrawal.net,
        currency=withdrawal.currency,
        payee=Payee(
            kind=str(account.kind),
            holder=accounts.holder_of(account),
            account=accounts.number_of(account),
            bank=account.bank,
            branch=account.branch,
        ),
        subject=preferences.get().name,
    )


def sending_again(withdrawal_id: int, tries: int) -> bool:
    """The channel does not know our number: note that it is sent once more under it."""
    withdrawal = queries.lock(withdrawal_id)
    if withdrawal.tries != tries or withdrawal.state not in UNDER_WAY:
        return False
    withdrawal.sent_at = clock.now()
    return True


def take(withdrawal_id: int, tries: int, result: Result) -> datetime | None:
    """Write what a channel said about this submission; when to ask again, or None at the end.

    What contradicts an end changes nothing and stands in the audit log.
    """
    withdrawal = queries.lock(withdrawal_id)
    if withdrawal.tries != tries:
        return None
    withdrawal.reference = result.reference or withdrawal.reference
    if result.outcome in CAME_BACK:
        _came_back(withdrawal, result)
    elif result.outcome in ENDS:
        _reach(withdrawal, ENDS[result.outcome])
    else:
        _stay_open(withdrawal, result)
    session.flush()
    return _when_next(withdrawal)


def _stay_open(withdrawal: Withdrawal, result: Result) -> None:
    if result.outcome is Outcome.PENDING and withdrawal.state == WithdrawalState.UNKNOWN:
        move(withdrawal, WithdrawalState.PAYING)
    elif result.outcome is not Outcome.PENDING and withdrawal.state == WithdrawalState.PAYING:
        move(withdrawal, WithdrawalState.UNKNOWN, result.reason)


def _reach(withdrawal: Withdrawal, state: WithdrawalState) -> None:
    if withdrawal.state == state or (
        state == WithdrawalState.AWAITING_PAYEE and withdrawal.state == WithdrawalState.PAID
    ):
        return
    if not can_move(withdrawal, state):
        _note_contradiction(withdrawal, state)
        return
    move(withdrawal, state, withdrawal.reference)
    if state == WithdrawalState.PAID:
        _paid(withdrawal)


def _paid(withdrawal: Withdrawal) -> None:
    withdrawal.settled_at = clock.now()
    withdrawal.queries = 0
    withdrawal.reason = ""
    claims.paid(withdrawal)
    _book(withdrawal, "payout_paid", 1)
    _put_on_paper(withdrawal)


def _came_back(withdrawal: Withdrawal, result: Result) -> None:
    """Refused, or sent back: whatever was booked as paid is booked back."""
    if withdrawal.state == WithdrawalState.RETURNED:
        return
    if not can_move(withdrawal, WithdrawalState.RETURNED):
        _note_contradiction(withdrawal, WithdrawalState.RETURNED)
        return
    was_paid = withdrawal.state == WithdrawalState.PAID
    move(withdrawal, WithdrawalState.RETURNED, result.reason)
    withdrawal.reason = result.reason
    withdrawal.settled_at = clock.now()
    if was_paid:
        claims.came_back(withdrawal)
        _book(withdrawal, "payout_returned", -1)
        _put_on_paper(withdrawal)


def _put_on_paper(withdrawal: Withdrawal) -> None:
    """Have its settlement statement issued, or corrected, for this end of this submission."""
    key = f"statement:{withdrawal.id}:{withdrawal.tries}:{withdrawal.state}"
    later("app.domain.payouts.jobs.issue_statement", withdrawal.id, key=key)


def _book(withdrawal: Withdrawal, kind: str, sign: int) -> None:
    """Out of what is pending into where it went, or (sign −1) back; once for each submission."""
    source = payouts.provider(withdrawal.method).ledger_account
    lines = {
        f"payout_pending:{withdrawal.distributor.uid}": withdrawal.gross,
        source: -withdrawal.net,
        "tax_withheld": -withdrawal.tax,
        "payout_fee": -withdrawal.fee,
    }
    ledger.post(
        f"{kind}:{withdrawal.id}:{withdrawal.tries}",
        kind,
        "withdrawals",
        withdrawal.id,
        {code: sign * amount for code, amount in lines.items() if amount},
        currency=withdrawal.currency,
        memo=withdrawal.reference,
    )


def _note_contradiction(withdrawal: Withdrawal, said: WithdrawalState) -> None:
    audit.record(
        "withdrawal.contradiction",
        "withdrawals",
        withdrawal.id,
        reason=f"{said} after {withdrawal.state}",
    )


def _when_next(withdrawal: Withdrawal) -> datetime | None:
    if not payouts.provider(withdrawal.method).pays_by_itself:
        return None
    asked, withdrawal.queries = withdrawal.queries, withdrawal.queries + 1
    if withdrawal.state in UNDER_WAY:
        return clock.now() + next_query(asked)
    if withdrawal.state == WithdrawalState.PAID and asked < len(LOOK_BACK_AFTER):
        return clock.now() + LOOK_BACK_AFTER[asked]
    return None


def take_notice(method: str, number: str, result: Result) -> bool:
    """A genuine callback: settle what it speaks of; False when it is about nothing of ours."""
    withdrawal = queries.find_by_number(number)
    if withdrawal is None or withdrawal.method != method or not withdrawal.tries:
        return False
    take(withdrawal.id, withdrawal.tries, result)
    return True


def confirm_by_hand(withdrawal_id: int, reference: str) -> None:
    """Staff paid it themselves and say under which reference; raises Refusal, Conflict."""
    if len(reference.strip()) < REFERENCE_LEAST:
        raise Refusal(N_("请填写转账流水号，至少 4 位"), field="reference")
    withdrawal = _by_hand(withdrawal_id)
    if withdrawal.state != WithdrawalState.PAYING:
        raise Conflict(N_("这笔提现现在不能登记付款"))
    audit.record("withdrawal.confirm", "withdrawals", withdrawal.id, reason=reference.strip())
    take(withdrawal.id, withdrawal.tries, Result(Outcome.PAID, reference.strip()[:64]))


def return_by_hand(withdrawal_id: int, reason: str) -> None:
    """The bank did not take it, or sent it back, as staff saw; raises Refusal, Conflict."""
    if len(reason.strip()) < 2:
        raise Refusal(N_("请写明退回原因"), field="reason")
    withdrawal = _by_hand(withdrawal_id)
    if not can_move(withdrawal, WithdrawalState.RETURNED):
        raise Conflict(N_("这笔提现现在不能登记退回"))
    audit.record("withdrawal.return", "withdrawals", withdrawal.id, reason=reason.strip())
    take(withdrawal.id, withdrawal.tries, Result(Outcome.RETURNED, reason=reason.strip()[:200]))


def _by_hand(withdrawal_id: int) -> Withdrawal:
    withdrawal = queries.lock(withdrawal_id)
    if withdrawal.method and payouts.provider(withdrawal.method).pays_by_itself:
        raise Conflict(N_("这个渠道自己会付款并告知结果，不能手工登记"))
    return withdrawal


def ask_now(withdrawal_id: int) -> None:
    """Have the channel asked at once; raises Conflict when there is nothing to ask."""
    withdrawal = queries.lock(withdrawal_id)
    if withdrawal.state not in (*UNDER_WAY, WithdrawalState.PAID):
        raise Conflict(N_("这笔提现没有什么可查询的"))
    hasten(job_key(withdrawal))


def job_key(withdrawal: Withdrawal) -> str:
    """The outbox key of the one job that carries a submission."""
    return f"payout:{withdrawal.id}:{withdrawal.tries}"
