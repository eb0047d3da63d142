"""What a transaction is about: its name and its page, and the transactions about one order."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

import sqlalchemy as sa
from flask import url_for
from flask_babel import gettext as _

from app.core.db import session
from app.core.errors import N_
from app.domain.channels.models import Commission
from app.domain.ledger.models import LedgerTransaction
from app.domain.orders.models import Order, Payment
from app.domain.orders.statement_models import Remittance
from app.domain.payouts.models import Withdrawal
from app.web.admin.audit_words import SUBJECTS


class Subject(NamedTuple):
    """Its words, its number or name, and the address of its page; empty where there is none."""

    words: str
    name: str
    url: str


def _of_orders(ids: Sequence[int]) -> Mapping[int, tuple[str, str]]:
    return _at_orders(sa.select(Order.id, Order.number).where(Order.id.in_(ids)))


def _of_payments(ids: Sequence[int]) -> Mapping[int, tuple[str, str]]:
    return _at_orders(
        sa.select(Payment.id, Order.number)
        .join(Order, Order.id == Payment.order_id)
        .where(Payment.id.in_(ids))
    )


def _of_commissions(ids: Sequence[int]) -> Mapping[int, tuple[str, str]]:
    """By their order, whose page says for whom they are."""
    return _at_orders(
        sa.select(Commission.id, Order.number)
        .join(Order, Order.id == Commission.order_id)
        .where(Commission.id.in_(ids))
    )


def _at_orders(found: sa.Select[int, str]) -> Mapping[int, tuple[str, str]]:
    return {
        one: (number, url_for("admin.orders.show", number=number))
        for one, number in session.execute(found)
    }


def _of_remittances(ids: Sequence[int]) -> Mapping[int, tuple[str, str]]:
    rows = session.execute(
        sa.select(Remittance.id, Remittance.number).where(Remittance.id.in_(ids))
    )
    return {one: (number, url_for("admin.remittances.index", q=number)) for one, number in rows}


def _of_withdrawals(ids: Sequence[int]) -> Mapping[int, tuple[str, str]]:
    rows = session.execute(
        sa.select(Withdrawal.id, Withdrawal.number).where(Withdrawal.id.in_(ids))
    )
    return {one: (number, url_for("admin.withdrawals.show", number=number)) for one, number in rows}


# Subject of a transaction → how its things are named and where they are, all at once.
PAGES: dict[str, Callable[[Sequence[int]], Mapping[int, tuple[str, str]]]] = {
    "orders": _of_orders,
    "payments": _of_payments,
    "commissions": _of_commissions,
    "channel_remittances": _of_remittances,
    "withdrawals": _of_withdrawals,
}
WORDS = SUBJECTS | {"commissions": N_("佣金")}


def subjects_of(transactions: Iterable[LedgerTransaction]) -> dict[int, Subject]:
    """What each of these transactions is about, by the transaction's id."""
    listed = list(transactions)
    by_subject: dict[str, list[int]] = {}
    for one in listed:
        by_subject.setdefault(one.subject, []).append(one.subject_id)
    pages = {
        subject: PAGES[subject](ids) for subject, ids in by_subject.items() if subject in PAGES
    }
    return {
        one.id: Subject(
            str(_(WORDS[one.subject])) if one.subject in WORDS else one.subject,
            *pages.get(one.subject, {}).get(one.subject_id, (f"#{one.subject_id}", "")),
        )
        for one in listed
    }


def about_order(number: str) -> sa.ColumnElement[bool]:
    """True of a transaction about an order, its payments or its commissions."""
    order = sa.select(Order.id).where(Order.number == number)
    payments = sa.select(Payment.id).where(Payment.order_id.in_(order))
    commissions = sa.select(Commission.id).where(Commission.order_id.in_(order))
    return sa.or_(
        *(
            sa.and_(LedgerTransaction.subject == subject, LedgerTransaction.subject_id.in_(ids))
            for subject, ids in (
                ("orders", order),
                ("payments", payments),
                ("commissions", commissions),
            )
        )
    )
