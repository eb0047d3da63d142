"""Settlement statements in the console: the list, one with its answers, files and correction."""

from collections.abc import Callable

import sqlalchemy as sa
from flask import Blueprint, Response, flash, redirect, request, url_for
from flask_babel import gettext as _

from app.core import audit
from app.core.db import session, transaction
from app.core.errors import N_, NotFound, Refusal
from app.domain.channels.models import Distributor
from app.domain.payouts import statements
from app.domain.payouts.paper_models import SettlementStatement, StatementAnswer
from app.domain.payouts.papers import package
from app.domain.payouts.statements import Issued
from app.web import papers
from app.web.access import staff
from app.web.admin import todo
from app.web.admin.actors import named
from app.web.admin.export import Column, local, yuan
from app.web.admin.listing import Choice, Days, Listing, Search, Sort
from app.web.errors import words
from app.web.render import render
from app.web.state_words import word
from app.web.tax_words import steps_of

routes = Blueprint("settlements", __name__)


def _issued(row: tuple[SettlementStatement, StatementAnswer | None, str | None]) -> Issued:
    return Issued(row[0], row[1], row[2] or "")


LIST = Listing(
    name="settlements",
    model=SettlementStatement,
    search=Search(
        lambda text: sa.or_(
            SettlementStatement.number == text.upper(),
            SettlementStatement.sha256 == text.lower(),
            Distributor.name.icontains(text, autoescape=True),
        ),
        N_("结算单号、哈希、分销商"),
    ),
    choices=(
        Choice(
            "needs",
            N_("待办"),
            lambda: [("answer", _("待答复的异议"))],
            lambda _value: statements.is_disputed(),
        ),
    ),
    days=Days(SettlementStatement.issued_at),
    sorts=(Sort("newest", N_("最新在前"), (SettlementStatement.id.desc(),)),),
    columns=(
        Column(N_("结算单号"), lambda row: row[0].number),
        Column(N_("更正"), lambda row: row[0].reason),
        Column(N_("分销商"), lambda row: row[3].name),
        Column(N_("状态"), lambda row: word("settlement", _issued(row[:3]).standing)),
        Column(N_("期初余额"), lambda row: yuan(row[0].opening)),
        Column(N_("期末余额"), lambda row: yuan(row[0].closing)),
        Column(N_("结算金额"), lambda row: yuan(row[0].gross)),
        Column(N_("代扣税款"), lambda row: yuan(row[0].tax)),
        Column(N_("手续费"), lambda row: yuan(row[0].fee)),
        Column(N_("实付金额"), lambda row: yuan(row[0].net)),
        Column(N_("开具时间"), lambda row: local(row[0].issued_at)),
        Column("SHA-256", lambda row: row[0].sha256),
    ),
    export_permission="payouts.view",
)


@routes.get("/admin/settlements")
@staff("payouts.view")
def index() -> Response:
    found = (
        statements.issued()
        .join(Distributor, Distributor.id == SettlementStatement.distributor_id)
        .add_columns(Distributor)
    )
    return LIST.answer(
        found,
        "admin/settlements/index.html",
        beside=lambda rows: {"standings": [_issued(row[:3]).standing for row in rows]},
    )


@routes.get("/admin/settlements/<number>")
@staff("payouts.view")
def show(number: str) -> Response:
    issued = statements.find(number)
    content = statements.content_of(issued.statement)
    answer = issued.answer
    return render(
        "admin/settlements/show.html",
        issued=issued,
        statement=issued.statement,
        content=content,
        steps=steps_of(content["settlement"]["trace"]),
        answer=answer,
        who=named([issued.statement.issued_by, answer.settled_by if answer else ""]),
        needs_basis=package.is_needed(papers.paper_of(issued)),
    )


@routes.get("/admin/settlements/<number>/pdf")
@staff("payouts.view")
def show_pdf(number: str) -> Response:
    return papers.pdf_file(statements.find(number))


@routes.get("/admin/settlements/<number>/xlsx")
@staff("payouts.view")
def show_xlsx(number: str) -> Response:
    return papers.xlsx_file(statements.find(number))


@routes.get("/admin/settlements/<number>/package")
@staff("payouts.pay", step_up=True)
def show_package(number: str) -> Response:
    """What the bank asks for above its line, with the payee's name in it: audited."""
    issued = statements.find(number)
    if not package.is_needed(papers.paper_of(issued)):
        raise NotFound(N_("这张结算单不需要付款依据包"))
    response, statement_id = papers.package_file(issued), issued.statement.id
    transaction(lambda: audit.record("settlement.package", "settlement_statements", statement_id))
    return response


@routes.post("/admin/settlements/<number>/correction")
@staff("payouts.pay", step_up=True)
def create_correction(number: str) -> Response:
    reason = request.form.get("reason", "")[:200]
    return _act(
        number,
        lambda: statements.correct(number, reason).number,
        _("已开具新的结算单，原来的一张不再有效"),
    )


@routes.post("/admin/settlements/<number>/answer")
@staff("payouts.review")
def create_answer(number: str) -> Response:
    """The answer to a dispute, when nothing is to be corrected."""
    reason = request.form.get("reason", "")[:200]
    return _act(number, lambda: statements.settle_dispute(number, reason), _("已答复，对方会看到"))


def _act(number: str, act: Callable[[], str | None], done: str) -> Response:
    """Do it and go to the statement that is in force then."""
    statements.find(number)
    try:
        number = transaction(act) or number
    except NotFound:
        raise
    except Refusal as refusal:
        session.rollback()
        flash(words(refusal), "bad")
    else:
        todo.forget()
        flash(done, "good")
    return redirect(url_for("admin.settlements.show", number=number), 303)  # type: ignore[return-value]
