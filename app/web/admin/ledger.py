"""The ledger: accounts with their balances, and the entries that each balance is the sum of."""

from dataclasses import dataclass
from datetime import date, timedelta

import sqlalchemy as sa
from flask import Blueprint, Response, request, url_for
from flask_babel import gettext as _

from app.core.errors import N_
from app.domain.ledger import queries
from app.domain.ledger.models import (
    AccountKind,
    LedgerAccount,
    LedgerBalance,
    LedgerEntry,
)
from app.domain.ledger.queries import Wanted
from app.domain.ledger.rules import CHART, natural
from app.web.access import staff
from app.web.admin import export, ledger_subjects, ledger_words
from app.web.admin.days import midnight, read_day
from app.web.admin.export import Column, local, yuan
from app.web.admin.listing import Choice, Listing, Search, Sort
from app.web.render import render

routes = Blueprint("ledger", __name__)

ACCOUNTS = Listing(
    name="ledger-accounts",
    model=LedgerAccount,
    search=Search(lambda text: LedgerAccount.code.icontains(text, autoescape=True), N_("账户代码")),
    choices=(
        Choice(
            "place",
            N_("科目"),
            lambda: [(prefix, ledger_words.place_words(prefix)) for prefix in CHART],
            queries.has_prefix,
        ),
    ),
    sorts=(Sort("code", N_("按代码"), (LedgerAccount.code,)),),
)

# A row is an entry and its transaction.
COLUMNS = (
    Column(N_("时间"), lambda row: local(row[1].posted_at)),
    Column(N_("类型"), lambda row: ledger_words.kind_words(row[1].kind)),
    Column(N_("账目编号"), lambda row: row[1].id),
    Column(N_("凭证号"), lambda row: row[1].key),
    Column(N_("借方"), lambda row: yuan(row[0].amount) if row[0].amount > 0 else ""),
    Column(N_("贷方"), lambda row: yuan(-row[0].amount) if row[0].amount < 0 else ""),
    Column(N_("备注"), lambda row: row[1].memo),
    Column(N_("操作者"), lambda row: row[1].actor),
)


@routes.get("/admin/ledger")
@staff("books.view")
def index() -> Response:
    groups = queries.groups()
    kinds = [
        (_(words), kind, [group for group in groups if group.kind == kind])
        for kind, words in ledger_words.ACCOUNT_KINDS.items()
    ]
    return render(
        "admin/ledger/index.html",
        kinds=[(words, found, _total(found)) for words, _kind, found in kinds if found],
        place_words=ledger_words.place_words,
        url_of=url_of_place,
    )


@routes.get("/admin/ledger/accounts")
@staff("books.view")
def index_accounts() -> Response:
    found = sa.select(LedgerAccount, LedgerBalance.balance).join(
        LedgerBalance, LedgerBalance.account_id == LedgerAccount.id
    )
    return ACCOUNTS.answer(
        found,
        "admin/ledger/accounts.html",
        beside=lambda rows: {"names": ledger_words.account_names(row[0].code for row in rows)},
        natural=natural,
    )


@routes.get("/admin/ledger/accounts/<code>")
@staff("books.view")
def show(code: str) -> Response:
    """One account: its entries with the balance after each, or all of them as a file."""
    account = queries.find_account(code)
    asked = Asked.read()
    if request.args.get("format") == "csv":
        return _file(account, asked)
    entries = queries.entries_of(account, asked.wanted())
    transactions = [line.transaction for line in entries.lines]
    return render(
        "admin/ledger/show.html",
        account=account,
        name=ledger_words.account_names([code])[code],
        kind=_(ledger_words.ACCOUNT_KINDS[AccountKind(account.kind)]),
        entries=entries,
        asked=asked,
        kinds=[("", _("全部")), *((name, _(words)) for name, words in ledger_words.KINDS.items())],
        kind_words=ledger_words.kind_words,
        subjects=ledger_subjects.subjects_of(transactions),
        newer=asked.url(code, after=entries.newer) if entries.newer else "",
        older=asked.url(code, before=entries.older) if entries.older else "",
        csv_url=asked.url(code, format="csv"),
    )


def url_of_place(
    prefix: str, code: str, first_day: date | None = None, last_day: date | None = None
) -> str:
    """Where the entries of a figure are: of its one account, or of all that are at its place."""
    days = {name: day.isoformat() for name, day in (("from", first_day), ("to", last_day)) if day}
    if code:
        return url_for("admin.ledger.show", code=code, **days)  # type: ignore[arg-type]
    if not days:
        return url_for("admin.ledger.index_accounts", place=prefix)
    return url_for("admin.entries.index", place=prefix, **days)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Asked:
    """What an address asks of an account; whatever is broken in it is not there."""

    kind: str
    first_day: date | None
    last_day: date | None
    before: int | None
    after: int | None

    @classmethod
    def read(cls) -> "Asked":
        args = request.args
        kind = args.get("kind", "")
        return cls(
            kind if kind in ledger_words.KINDS else "",
            read_day(args.get("from", "")),
            read_day(args.get("to", "")),
            _entry_id(args.get("before", "")),
            _entry_id(args.get("after", "")),
        )

    @property
    def is_filtered(self) -> bool:
        return bool(self.kind or self.first_day or self.last_day)

    def wanted(self) -> Wanted:
        return Wanted(
            self.kind,
            since=midnight(self.first_day) if self.first_day else None,
            until=midnight(self.last_day + timedelta(days=1)) if self.last_day else None,
            before=self.before if self.after is None else None,
            after=self.after,
        )

    def filters(self) -> dict[str, str]:
        given = {
            "kind": self.kind,
            "from": self.first_day.isoformat() if self.first_day else "",
            "to": self.last_day.isoformat() if self.last_day else "",
        }
        return {name: value for name, value in given.items() if value}

    def url(self, code: str, **more: object) -> str:
        values: dict[str, object] = {**self.filters(), **more}
        return url_for("admin.ledger.show", code=code, **values)  # type: ignore[arg-type]


def _file(account: LedgerAccount, asked: Asked) -> Response:
    return export.send(
        "ledger-entries",
        queries.entries_select(account.id, asked.wanted()).order_by(LedgerEntry.id),
        LedgerEntry,
        COLUMNS,
        permission="books.view",
        back=asked.url(account.code),
        note={"account": account.code} | asked.filters(),
    )


def _entry_id(text: str) -> int | None:
    """More digits than a bigint has are nobody's number."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 18 else None


def _total(groups: list[queries.Group]) -> int:
    return sum(group.balance for group in groups)
