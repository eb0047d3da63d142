"""The transactions of the ledger, and one with its lines and what it is about."""

import re
from typing import Any

import sqlalchemy as sa
from flask import Blueprint, Response
from flask_babel import gettext as _

from app.core.errors import N_
from app.domain.ledger import queries
from app.domain.ledger.models import LedgerTransaction
from app.web.access import staff
from app.web.admin import ledger_subjects, ledger_words
from app.web.admin.actors import named
from app.web.admin.listing import Choice, Days, Listing, Search, Sort
from app.web.render import render

routes = Blueprint("transactions", __name__)


def matches(text: str) -> sa.ColumnElement[bool]:
    """An order's number (with its payments and commissions), a transaction's number or key."""
    found = [ledger_subjects.about_order(text.upper()), LedgerTransaction.key == text]
    if re.fullmatch(r"\d{1,15}", text):
        found.append(LedgerTransaction.id == int(text))
    return sa.or_(*found)


LIST = Listing(
    name="transactions",
    model=LedgerTransaction,
    search=Search(matches, N_("订单号、账目编号、凭证号")),
    choices=(
        Choice(
            "kind",
            N_("类型"),
            lambda: [(name, _(words)) for name, words in ledger_words.KINDS.items()],
            lambda value: LedgerTransaction.kind == value,
        ),
    ),
    days=Days(LedgerTransaction.posted_at),
    sorts=(
        Sort("newest", N_("最新在前"), (LedgerTransaction.id.desc(),)),
        Sort("oldest", N_("最早在前"), (LedgerTransaction.id.asc(),)),
    ),
)


@routes.get("/admin/ledger/transactions")
@staff("books.view")
def index() -> Response:
    return LIST.answer(
        sa.select(LedgerTransaction),
        "admin/transactions/index.html",
        beside=lambda rows: _beside(list(rows)),
        kind_words=ledger_words.kind_words,
    )


@routes.get("/admin/ledger/transactions/<int:transaction_id>")
@staff("books.view")
def show(transaction_id: int) -> Response:
    transaction = queries.find_transaction(transaction_id)
    others = [one for one in queries.about_the_same(transaction) if one.id != transaction_id]
    return render(
        "admin/transactions/show.html",
        transaction=transaction,
        actor=named([transaction.actor])[transaction.actor],
        others=others,
        kind_words=ledger_words.kind_words,
        **_beside([transaction, *others]),
    )


def _beside(transactions: list[LedgerTransaction]) -> dict[str, Any]:
    """The lines of each, what its accounts are called, and what it is about."""
    lines = queries.lines_of([one.id for one in transactions])
    codes = {account.code for found in lines.values() for account, _entry in found}
    return {
        "lines": lines,
        "names": ledger_words.account_names(codes),
        "subjects": ledger_subjects.subjects_of(transactions),
    }
