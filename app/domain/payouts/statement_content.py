"""What stands on a settlement statement: its lines are the ledger's entries, and nothing else.

The content is a plain dict of texts, whole minor units and lists; `canonical` is the one text of it
that is sealed and hashed. Moments are written in the shop's zone with their offset.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from app.core import clock
from app.core.db import session
from app.domain.accounts import queries as people
from app.domain.catalog import preferences
from app.domain.channels.models import Commission, Rule
from app.domain.ledger.models import LedgerAccount, LedgerEntry, LedgerTransaction
from app.domain.orders.models import Order, OrderLine
from app.domain.payouts import tax, tax_profiles
from app.domain.payouts.models import Withdrawal, WithdrawalState
from app.domain.payouts.paper_models import (
    SettlementStatement,
    StatementEntry,
    TaxProfile,
    Withholding,
)
from app.domain.payouts.papers.capitals import capitals
from app.providers import payouts

Content = dict[str, Any]
# A statement takes a limited number of values.
CHUNK = 500
# What a line is, by what its transaction is about and which way it goes.
EARNING, REVERSAL, WITHDRAWN, GIVEN_BACK, ADJUSTMENT = (
    *("earning", "reversal", "withdrawn"),
    *("given_back", "adjustment"),
)
KINDS = (EARNING, REVERSAL, WITHDRAWN, GIVEN_BACK, ADJUSTMENT)


@dataclass(frozen=True)
class Entry:
    """An entry of her account from her side: what comes to her is positive."""

    id: int
    amount: int
    kind: str
    subject: str
    subject_id: int
    memo: str
    at: datetime


@dataclass(frozen=True)
class Frame:
    """What a statement takes over from the line of statements it stands in."""

    number: str
    opening: int
    since: datetime | None
    until: datetime
    entries: Sequence[Entry]
    corrects: str = ""
    reason: str = ""
    issued_at: datetime = field(default_factory=clock.now)


def canonical(content: Content) -> str:
    """The one text of a content: sorted keys, no spaces, Chinese as it is."""
    return json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def build(withdrawal: Withdrawal, frame: Frame) -> Content:
    """Everything that stands on the statement of this withdrawal."""
    lines = _lines(frame.entries)
    rules = preferences.get()
    return {
        "version": 1,
        "number": frame.number,
        "issued_at": local(frame.issued_at),
        "corrects": frame.corrects,
        "reason": frame.reason,
        "period": {"from": local(frame.since), "to": local(frame.until)},
        "payer": {"name": rules.payer_name or rules.name, "credit_code": rules.payer_code},
        "payee": _payee(withdrawal),
        "currency": withdrawal.currency,
        "opening": frame.opening,
        "lines": lines,
        "subtotals": {
            kind: sum(line["amount"] for line in lines if line["kind"] == kind) for kind in KINDS
        },
        "closing": frame.opening + sum(entry.amount for entry in frame.entries),
        "settlement": settlement(withdrawal),
    }


def settlement(withdrawal: Withdrawal) -> Content:
    """What was paid, or came back: then every amount is zero, and the words say so."""
    is_paid = withdrawal.state == WithdrawalState.PAID
    kept = tax.find(withdrawal.id)
    who = _names(
        [withdrawal.approved_by, withdrawal.batch.submitted_by if withdrawal.batch else ""]
    )
    net = withdrawal.net if is_paid else 0
    return {
        "withdrawal": withdrawal.number,
        "state": "paid" if is_paid else "returned",
        "gross": withdrawal.gross if is_paid else 0,
        "income": kept.income if kept and is_paid else 0,
        "tax": withdrawal.tax if is_paid else 0,
        "fee": withdrawal.fee if is_paid else 0,
        "net": net,
        "words": capitals(net),
        "method": str(kept.method) if kept else "",
        "trace": list(kept.trace) if kept and is_paid else [],
        "channel": payouts.provider(withdrawal.method).title if withdrawal.method else "",
        "voucher": withdrawal.reference,
        "paid_at": local(withdrawal.settled_at),
        "requested_at": local(withdrawal.requested_at),
        "approved_by": who[0],
        "prepared_by": who[1],
    }


def local(at: datetime | None) -> str:
    """A moment in the shop's zone, to the second, with its offset; empty when there is none."""
    if at is None:
        return ""
    return at.astimezone(ZoneInfo(preferences.get().zone)).isoformat(timespec="seconds")


def entries_not_on_a_statement(uid: str, currency: str) -> list[Entry]:
    """Her account's entries that stand on no statement yet, the oldest first.

    Not "after the last one": an entry whose unit was committed late would then stand nowhere.
    """
    on_one = sa.exists().where(StatementEntry.entry_id == LedgerEntry.id)
    return _entries(_of_account(uid, currency).where(~on_one))


def entries_of(statement_id: int) -> list[Entry]:
    """The entries that stand on a line of statements, by its first one."""
    on_it = sa.select(StatementEntry.entry_id).where(StatementEntry.statement_id == statement_id)
    return _entries(_select().where(LedgerEntry.id.in_(on_it)))


def last_root(distributor_id: int) -> SettlementStatement | None:
    """The statement whose closing balance is the next one's opening balance."""
    return session.scalar(
        sa.select(SettlementStatement)
        .where(
            SettlementStatement.distributor_id == distributor_id,
            SettlementStatement.root_id.is_(None),
        )
        .order_by(SettlementStatement.id.desc())
        .limit(1)
    )


def _payee(withdrawal: Withdrawal) -> Content:
    profile = _profile(withdrawal)
    account = withdrawal.account
    return {
        "distributor": withdrawal.distributor.uid,
        "name": tax_profiles.name_of(profile).reveal() if profile else "",
        "name_masked": profile.name_masked if profile else account.holder_masked,
        "identity_kind": str(profile.identity_kind) if profile else "",
        "identity_masked": profile.identity_masked if profile else "",
        "tax_mode": str(profile.mode) if profile else "",
        "account_kind": str(account.kind),
        "account_masked": account.account_masked,
        "bank": account.bank,
    }


def _profile(withdrawal: Withdrawal) -> TaxProfile | None:
    """The one she has now, so that a correction brings a mended name; else what tax was kept by."""
    now = tax_profiles.current(withdrawal.distributor_id)
    if now is not None:
        return now
    return session.scalar(
        sa.select(TaxProfile)
        .join(Withholding, Withholding.profile_id == TaxProfile.id)
        .where(Withholding.withdrawal_id == withdrawal.id)
    )


def _select() -> sa.Select[*tuple[Any, ...]]:
    return (
        sa.select(
            LedgerEntry.id,
            LedgerEntry.amount,
            LedgerTransaction.kind,
            LedgerTransaction.subject,
            LedgerTransaction.subject_id,
            LedgerTransaction.memo,
            LedgerTransaction.posted_at,
        )
        .join(LedgerTransaction, LedgerTransaction.id == LedgerEntry.transaction_id)
        .order_by(LedgerEntry.id)
    )


def _of_account(uid: str, currency: str) -> sa.Select[*tuple[Any, ...]]:
    return (
        _select()
        .join(LedgerAccount, LedgerAccount.id == LedgerEntry.account_id)
        .where(
            LedgerAccount.code == f"commission_payable:{uid}", LedgerAccount.currency == currency
        )
    )


def _entries(select: sa.Select[*tuple[Any, ...]]) -> list[Entry]:
    return [
        Entry(int(one), -int(amount), kind, subject, int(subject_id), memo, at)
        for one, amount, kind, subject, subject_id, memo, at in session.execute(select)
    ]


def _lines(entries: Sequence[Entry]) -> list[Content]:
    sold = _sold(entry.subject_id for entry in entries if entry.subject == "commissions")
    asked = _withdrawals(entry.subject_id for entry in entries if entry.subject == "withdrawals")
    return [
        {
            "entry": entry.id,
            "at": local(entry.at),
            "kind": kind_of(entry),
            "amount": entry.amount,
            "withdrawal": asked.get(entry.subject_id, "") if entry.subject == "withdrawals" else "",
            **(sold.get(entry.subject_id, {}) if entry.subject == "commissions" else {}),
        }
        for entry in entries
    ]


def kind_of(entry: Entry) -> str:
    """What a line is called: one of KINDS."""
    if entry.subject == "withdrawals":
        return WITHDRAWN if entry.amount < 0 else GIVEN_BACK
    if entry.kind.startswith("commission"):
        return EARNING if entry.amount > 0 else REVERSAL
    return ADJUSTMENT


def _sold(commission_ids: Iterable[int]) -> dict[int, Content]:
    """By commission: which order's line, when paid and delivered, on what base, at what rate."""
    found: dict[int, Content] = {}
    for ids in _chunks(commission_ids):
        rows = session.execute(
            sa.select(Commission, Order, OrderLine, Rule.percent_bp, Rule.per_unit)
            .join(Order, Order.id == Commission.order_id)
            .join(OrderLine, OrderLine.id == Commission.order_line_id)
            .outerjoin(Rule, Rule.id == Commission.rule_id)
            .where(Commission.id.in_(ids))
        )
        for commission, order, line, percent_bp, per_unit in rows:
            found[commission.id] = {
                "order": order.number,
                "product": line.product_name,
                "order_paid_at": local(order.paid_at),
                "delivered_at": local(line.delivered_at),
                "base": commission.base,
                "rate_bp": percent_bp or 0,
                "per_unit": per_unit or 0,
                "level": commission.level,
                "commission": commission.amount,
            }
    return found


def _withdrawals(withdrawal_ids: Iterable[int]) -> dict[int, str]:
    numbers: dict[int, str] = {}
    for ids in _chunks(withdrawal_ids):
        rows = session.execute(
            sa.select(Withdrawal.id, Withdrawal.number).where(Withdrawal.id.in_(ids))
        )
        numbers |= {row.id: row.number for row in rows}
    return numbers


def _chunks(ids: Iterable[int]) -> Iterable[list[int]]:
    each = sorted(set(ids))
    return (each[start : start + CHUNK] for start in range(0, len(each), CHUNK))


def _names(actors: Sequence[str]) -> list[str]:
    """People by name, anything else as it is called in the books."""
    ids = {
        actor: int(actor.removeprefix("person:"))
        for actor in actors
        if actor.removeprefix("person:").isdecimal()
    }
    names = people.names_of(list(ids.values()))
    return [names.get(ids.get(actor, 0), actor) for actor in actors]
