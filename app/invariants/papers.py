"""Papers: statements equal postings, stand as they were issued, and tax is what was withheld."""

import sqlalchemy as sa
from sqlalchemy.orm import aliased, undefer

from app.core.crypto import Tampered
from app.core.db import session
from app.core.outbox import OutboxRow, OutboxState
from app.domain.channels.models import Distributor
from app.domain.ledger.models import LedgerAccount, LedgerEntry
from app.domain.payouts import statements
from app.domain.payouts.models import UNDER_WAY, Withdrawal, WithdrawalState
from app.domain.payouts.paper_models import SettlementStatement, StatementEntry, Withholding
from app.invariants.counting import Counted, counted

SAMPLE = 200
SUBMITTED = (*UNDER_WAY, WithdrawalState.PAID)


@counted
def statements_equal_postings() -> Counted:
    """Each begins where the one before ended, and ends that much further as its entries say; they
    are entries of its payee's account; a correction keeps the balances of what it corrects."""
    one, before, root = (aliased(SettlementStatement) for _ in range(3))
    moved = (
        sa.select(sa.func.coalesce(sa.func.sum(-LedgerEntry.amount), 0))
        .join(StatementEntry, StatementEntry.entry_id == LedgerEntry.id)
        .where(StatementEntry.statement_id == one.id)
        .correlate(one)
        .scalar_subquery()
    )
    last = (
        sa.select(before.closing)
        .where(
            before.distributor_id == one.distributor_id,
            before.root_id.is_(None),
            before.id < one.id,
        )
        .order_by(before.id.desc())
        .limit(1)
        .correlate(one)
        .scalar_subquery()
    )
    strange = (
        sa.select(StatementEntry.entry_id)
        .join(LedgerEntry, LedgerEntry.id == StatementEntry.entry_id)
        .join(LedgerAccount, LedgerAccount.id == LedgerEntry.account_id)
        .join(Distributor, Distributor.id == one.distributor_id)
        .where(
            StatementEntry.statement_id == one.id,
            LedgerAccount.code != "commission_payable:" + Distributor.uid,
        )
        .correlate(one)
        .exists()
    )
    first_ones = sa.select(one.id).where(
        one.root_id.is_(None),
        sa.or_(
            one.closing - one.opening != moved,
            one.opening != sa.func.coalesce(last, 0),
            strange,
        ),
    )
    corrections = (
        sa.select(one.id)
        .join(root, root.id == one.root_id)
        .where(
            sa.or_(
                one.opening != root.opening,
                one.closing != root.closing,
                one.withdrawal_id != root.withdrawal_id,
            )
        )
    )
    return SettlementStatement, (first_ones, corrections)


def statements_are_as_issued(full: bool) -> tuple[int, int]:
    """Each content opens, has the hash it was published with, and says the amounts beside it."""
    select = (
        sa.select(SettlementStatement)
        .options(undefer(SettlementStatement.content_sealed))
        .order_by(SettlementStatement.id.desc())
    )
    looked_at = broken = 0
    for statement in session.scalars(select if full else select.limit(SAMPLE)):
        looked_at += 1
        broken += not _is_as_issued(statement)
    return looked_at, broken


def _is_as_issued(statement: SettlementStatement) -> bool:
    try:
        content = statements.content_of(statement)
        sha256 = statements.hash_of(statements.canonical_of(statement))
    except Tampered:
        return False
    paid = content["settlement"]
    says = (content["number"], content["opening"], content["closing"])
    amounts = (paid["gross"], paid["tax"], paid["fee"], paid["net"])
    return (
        sha256 == statement.sha256
        and says == (statement.number, statement.opening, statement.closing)
        and amounts == (statement.gross, statement.tax, statement.fee, statement.net)
        and sum(line["amount"] for line in content["lines"])
        == statement.closing - statement.opening
    )


@counted
def paid_withdrawals_have_statements() -> Counted:
    """What was paid has a statement that says so, or a job that is to write it."""
    one, later_one = aliased(SettlementStatement), aliased(SettlementStatement)
    in_force = sa.exists().where(
        one.withdrawal_id == Withdrawal.id,
        one.net == Withdrawal.net,
        one.tax == Withdrawal.tax,
        ~sa.exists().where(later_one.corrects_id == one.id),
    )
    key = (
        sa.literal("statement:")
        + sa.cast(Withdrawal.id, sa.Text)
        + ":"
        + sa.cast(Withdrawal.tries, sa.Text)
        + ":paid"
    )
    asked_for = sa.exists().where(
        OutboxRow.key == key, OutboxRow.state.in_([OutboxState.READY, OutboxState.RUNNING])
    )
    paid = sa.select(Withdrawal.id).where(Withdrawal.state == WithdrawalState.PAID)
    return paid, paid.where(~in_force, ~asked_for)


@counted
def tax_is_what_was_withheld() -> Counted:
    """A submitted withdrawal keeps what its withholding says; one given back keeps none."""
    kept = (
        sa.select(Withholding.tax)
        .where(Withholding.withdrawal_id == Withdrawal.id, Withholding.released_at.is_(None))
        .correlate(Withdrawal)
        .scalar_subquery()
    )
    broken = sa.select(Withdrawal.id).where(
        sa.or_(
            sa.and_(Withdrawal.state.in_(SUBMITTED), sa.func.coalesce(kept, -1) != Withdrawal.tax),
            sa.and_(Withdrawal.state == WithdrawalState.REFUSED, kept.is_not(None)),
        )
    )
    return Withdrawal, broken
