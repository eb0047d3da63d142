"""The verbs of settlement statements: issued, corrected by another one, confirmed, disputed.

A statement is never changed. Its lines are the entries of `commission_payable:<uid>` that stood on
none before; so statement follows statement without a gap, and together they are the ledger.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import cast

import sqlalchemy as sa
from sqlalchemy.orm import aliased, undefer

from app.core import audit, clock, ids, keys
from app.core.actors import actor
from app.core.db import session
from app.core.errors import N_, Conflict, NotFound, Refusal
from app.domain.payouts import queries, statement_content
from app.domain.payouts.models import Withdrawal, WithdrawalState
from app.domain.payouts.paper_models import SettlementStatement, StatementAnswer, StatementEntry
from app.domain.payouts.statement_content import Content, Frame

# Silence for so long counts as her consent; for so long she may dispute.
CONFIRMED_AFTER = timedelta(days=7)
DISPUTE_WITHIN = timedelta(days=15)
REASON_LEAST = 2
# Of a correction that nobody asked for: the payment itself ended otherwise.
CHANGED = "付款结果有变"


class Standing(StrEnum):
    """Where a statement stands with its payee. Computed, so no job can be late with it."""

    WAITING = "waiting"
    CONFIRMED = "confirmed"
    AUTO_CONFIRMED = "auto_confirmed"
    DISPUTED = "disputed"
    ANSWERED = "answered"
    SUPERSEDED = "superseded"


@dataclass(frozen=True)
class Issued:
    """A statement with what was said of it and what took its place."""

    statement: SettlementStatement
    answer: StatementAnswer | None
    superseded_by: str

    @property
    def standing(self) -> Standing:
        return standing(
            self.statement.issued_at,
            self.answer,
            clock.now(),
            is_superseded=bool(self.superseded_by),
        )

    @property
    def may_confirm(self) -> bool:
        return self.standing in (Standing.WAITING, Standing.AUTO_CONFIRMED, Standing.ANSWERED)

    @property
    def may_dispute(self) -> bool:
        """Within fifteen days, once, also when silence was taken for consent."""
        is_early = clock.now() < self.dispute_until
        return is_early and self.standing in (Standing.WAITING, Standing.AUTO_CONFIRMED)

    @property
    def dispute_until(self) -> datetime:
        return self.statement.issued_at + DISPUTE_WITHIN


def standing(
    issued_at: datetime, answer: StatementAnswer | None, now: datetime, *, is_superseded: bool
) -> Standing:
    """Where a statement stands `now`."""
    if is_superseded:
        return Standing.SUPERSEDED
    if answer is not None and answer.confirmed_at is not None:
        return Standing.CONFIRMED
    if answer is not None and answer.disputed_at is not None:
        return Standing.DISPUTED if answer.settled_at is None else Standing.ANSWERED
    return Standing.AUTO_CONFIRMED if now >= issued_at + CONFIRMED_AFTER else Standing.WAITING


def issue(withdrawal_id: int) -> SettlementStatement | None:
    """The statement of a withdrawal that was paid, once; None for one that never was.

    When the payment has ended otherwise since (sent back, paid again) it is corrected.
    """
    withdrawal = queries.lock(withdrawal_id)
    before = latest_of(withdrawal_id)
    if before is None:
        return _first(withdrawal) if withdrawal.state == WithdrawalState.PAID else None
    if content_of(before)["settlement"] == statement_content.settlement(withdrawal):
        return before
    return _correction(withdrawal, before, CHANGED)


def correct(number: str, reason: str) -> SettlementStatement:
    """Another one in its place, with everything as it is now; raises Refusal, Conflict."""
    if len(reason.strip()) < REASON_LEAST:
        raise Refusal(N_("请写明更正原因，会印在新的结算单上"), field="reason")
    wanted = find(number).statement
    withdrawal = queries.lock(wanted.withdrawal_id)
    before = latest_of(withdrawal.id)
    if before is None or before.id != wanted.id:
        raise Conflict(N_("这张结算单已经被更正过，请打开最新的一张"))
    made = _correction(withdrawal, before, reason.strip())
    audit.record(
        "settlement.correct", "settlement_statements", made.id, reason=made.reason, corrects=number
    )
    return made


def confirm(distributor_id: int, number: str, ip: str) -> None:
    """She agrees with it; raises Conflict when there is nothing to agree with any more."""
    queries.lock_distributor(distributor_id)
    issued = find_for(distributor_id, number)
    if not issued.may_confirm:
        raise Conflict(N_("这张结算单现在不能确认"))
    answer = _answer(issued)
    answer.confirmed_at, answer.confirmed_ip = clock.now(), ip
    session.flush()


def dispute(distributor_id: int, number: str, reason: str) -> None:
    """She does not agree, and says why; raises Refusal, Conflict."""
    if len(reason.strip()) < REASON_LEAST:
        raise Refusal(N_("请写明哪里不对"), field="reason")
    queries.lock_distributor(distributor_id)
    issued = find_for(distributor_id, number)
    if not issued.may_dispute:
        raise Conflict(N_("已经过了提出异议的期限，请联系店家"))
    answer = _answer(issued)
    answer.disputed_at, answer.dispute = clock.now(), reason.strip()
    session.flush()


def settle_dispute(number: str, reason: str) -> None:
    """Staff answer a dispute without a correction; she reads it. Raises Refusal, Conflict."""
    if len(reason.strip()) < REASON_LEAST:
        raise Refusal(N_("请写明答复，对方会看到"), field="reason")
    wanted = find(number).statement
    queries.lock_distributor(wanted.distributor_id)
    issued = find(number)
    if issued.standing != Standing.DISPUTED or issued.answer is None:
        raise Conflict(N_("这张结算单没有待答复的异议"))
    issued.answer.settled_at = clock.now()
    issued.answer.settled_by = actor()
    issued.answer.settled_because = reason.strip()
    audit.record("settlement.answer", "settlement_statements", wanted.id, reason=reason.strip())
    session.flush()


def content_of(statement: SettlementStatement) -> Content:
    """What stands on it; raises Tampered when it was moved or changed."""
    return cast("Content", json.loads(canonical_of(statement)))


def canonical_of(statement: SettlementStatement) -> str:
    """The very text whose hash it carries; raises Tampered."""
    sealed = keys.open_personal(
        statement.content_sealed, "settlement_statements", "content", statement.number
    )
    return sealed.reveal()


def hash_of(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


# How they are found


def find(number: str) -> Issued:
    """For staff, and for whoever verifies a number; raises NotFound."""
    return _one(SettlementStatement.number == number)


def find_for(distributor_id: int, number: str) -> Issued:
    """Hers alone; raises NotFound."""
    return _one(
        SettlementStatement.number == number, SettlementStatement.distributor_id == distributor_id
    )


def list_of(distributor_id: int, limit: int = 100) -> Sequence[Issued]:
    """Hers, the latest first, corrected ones too."""
    select = issued().where(SettlementStatement.distributor_id == distributor_id)
    rows = session.execute(select.order_by(SettlementStatement.id.desc()).limit(limit))
    return [Issued(statement, answer, by or "") for statement, answer, by in rows]


def latest_of(withdrawal_id: int) -> SettlementStatement | None:
    """The one in force of a withdrawal."""
    return session.scalar(
        sa.select(SettlementStatement)
        .where(SettlementStatement.withdrawal_id == withdrawal_id)
        .options(undefer(SettlementStatement.content_sealed))
        .order_by(SettlementStatement.id.desc())
        .limit(1)
    )


def number_of(withdrawal_id: int) -> str:
    """The number of the one in force of a withdrawal; empty before it was paid."""
    return (
        session.scalar(
            sa.select(SettlementStatement.number)
            .where(SettlementStatement.withdrawal_id == withdrawal_id)
            .order_by(SettlementStatement.id.desc())
            .limit(1)
        )
        or ""
    )


def issued() -> sa.Select[SettlementStatement, StatementAnswer, str]:
    """Each statement, what was said of it, and the number of the one that took its place."""
    later_one = aliased(SettlementStatement)
    return (
        sa.select(SettlementStatement, StatementAnswer, later_one.number)
        .outerjoin(StatementAnswer, StatementAnswer.statement_id == SettlementStatement.id)
        .outerjoin(later_one, later_one.corrects_id == SettlementStatement.id)
        .execution_options(populate_existing=True)
    )


def is_disputed() -> sa.ColumnElement[bool]:
    """Of an answer: it waits for staff. A correction answers the dispute about what it corrects."""
    corrected = aliased(SettlementStatement)
    return sa.and_(
        StatementAnswer.disputed_at.is_not(None),
        StatementAnswer.settled_at.is_(None),
        StatementAnswer.confirmed_at.is_(None),
        ~sa.exists().where(corrected.corrects_id == StatementAnswer.statement_id),
    )


def _one(*conditions: sa.ColumnElement[bool]) -> Issued:
    row = session.execute(
        issued().where(*conditions).options(undefer(SettlementStatement.content_sealed))
    ).one_or_none()
    if row is None:
        raise NotFound(N_("没有找到这张结算单"))
    return Issued(row[0], row[1], row[2] or "")


def _answer(issued: Issued) -> StatementAnswer:
    answer = issued.answer or StatementAnswer(statement_id=issued.statement.id)
    session.add(answer)
    return answer


# How they are made


def _first(withdrawal: Withdrawal) -> SettlementStatement:
    last = statement_content.last_root(withdrawal.distributor_id)
    entries = statement_content.entries_not_on_a_statement(
        withdrawal.distributor.uid, withdrawal.currency
    )
    now = clock.now()
    made = _write(
        withdrawal,
        Frame(
            number=_number(now),
            opening=last.closing if last else 0,
            since=last.issued_at if last else None,
            until=now,
            entries=entries,
            issued_at=now,
        ),
        None,
    )
    for start in range(0, len(entries), statement_content.CHUNK):
        session.execute(
            sa.insert(StatementEntry),
            [
                {"entry_id": entry.id, "statement_id": made.id}
                for entry in entries[start : start + statement_content.CHUNK]
            ],
        )
    return made


def _correction(
    withdrawal: Withdrawal, before: SettlementStatement, reason: str
) -> SettlementStatement:
    root = session.get_one(SettlementStatement, before.root_id or before.id)
    previous = session.scalar(
        sa.select(SettlementStatement.issued_at)
        .where(
            SettlementStatement.distributor_id == root.distributor_id,
            SettlementStatement.root_id.is_(None),
            SettlementStatement.id < root.id,
        )
        .order_by(SettlementStatement.id.desc())
        .limit(1)
    )
    now = clock.now()
    frame = Frame(
        number=_number(now),
        opening=root.opening,
        since=previous,
        until=root.issued_at,
        entries=statement_content.entries_of(root.id),
        corrects=before.number,
        reason=reason,
        issued_at=now,
    )
    return _write(withdrawal, frame, before)


def _write(
    withdrawal: Withdrawal, frame: Frame, before: SettlementStatement | None
) -> SettlementStatement:
    content = statement_content.build(withdrawal, frame)
    text = statement_content.canonical(content)
    paid = content["settlement"]
    made = SettlementStatement(
        number=frame.number,
        distributor_id=withdrawal.distributor_id,
        withdrawal_id=withdrawal.id,
        root_id=(before.root_id or before.id) if before else None,
        corrects_id=before.id if before else None,
        reason=frame.reason,
        content_sealed=keys.seal_personal(text, "settlement_statements", "content", frame.number),
        sha256=hash_of(text),
        payer_name=content["payer"]["name"],
        payee_masked=content["payee"]["name_masked"],
        opening=content["opening"],
        closing=content["closing"],
        gross=paid["gross"],
        tax=paid["tax"],
        fee=paid["fee"],
        net=paid["net"],
        currency=content["currency"],
        issued_by=actor(),
        issued_at=frame.issued_at,
    )
    session.add(made)
    session.flush()
    return made


def _number(at: datetime) -> str:
    """A serial number that nobody guesses: whoever has the paper may verify it, nobody else."""
    return f"JS{ids.number(at, 13)}"
