"""The entries of all accounts at one place of the chart: what a figure of a report is made of."""

import sqlalchemy as sa
from flask import Blueprint, Response, request
from flask_babel import gettext as _

from app.core.db import session
from app.core.errors import N_
from app.domain.ledger import queries
from app.domain.ledger.models import LedgerAccount, LedgerEntry, LedgerTransaction
from app.domain.ledger.rules import CHART, natural
from app.web.access import staff
from app.web.admin import ledger_words
from app.web.admin.listing import Choice, Days, Listing, Search, Sort

routes = Blueprint("entries", __name__)

LIST = Listing(
    name="entries",
    model=LedgerEntry,
    search=Search(lambda text: LedgerAccount.code.icontains(text, autoescape=True), N_("账户代码")),
    choices=(
        Choice(
            "place",
            N_("科目"),
            lambda: [(prefix, ledger_words.place_words(prefix)) for prefix in CHART],
            queries.has_prefix,
        ),
        Choice(
            "kind",
            N_("类型"),
            lambda: [(name, _(words)) for name, words in ledger_words.KINDS.items()],
            lambda value: LedgerTransaction.kind == value,
        ),
    ),
    days=Days(LedgerTransaction.posted_at),
    sorts=(Sort("newest", N_("最新在前"), (LedgerEntry.id.desc(),)),),
)


@routes.get("/admin/ledger/entries")
@staff("books.view")
def index() -> Response:
    found = (
        sa.select(LedgerEntry, LedgerAccount, LedgerTransaction)
        .join(LedgerAccount, LedgerAccount.id == LedgerEntry.account_id)
        .join(LedgerTransaction, LedgerTransaction.id == LedgerEntry.transaction_id)
    )
    place = LIST.ask(request.args).chosen.get("place", "")
    return LIST.answer(
        found,
        "admin/entries/index.html",
        beside=lambda rows: {"names": ledger_words.account_names(row[1].code for row in rows)},
        total=_total(found, place) if place else None,
        kind_words=ledger_words.kind_words,
        natural=natural,
    )


def _total(found: "sa.Select[LedgerEntry, LedgerAccount, LedgerTransaction]", place: str) -> int:
    """What the filters let through adds up to, on the normal side of its place."""
    matching = LIST.matching(found, LIST.ask(request.args)).order_by(None)
    added = matching.with_only_columns(sa.func.coalesce(sa.func.sum(LedgerEntry.amount), 0))
    return natural(CHART[place][0], int(session.scalar(added) or 0))
