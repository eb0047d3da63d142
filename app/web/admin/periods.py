"""Months of the books: which are closed, what they say, and closing the next."""

from flask import Blueprint, Response, current_app, flash, redirect, request, url_for
from flask_babel import gettext as _

from app.core.db import session, transaction
from app.core.errors import Refusal
from app.domain.catalog import preferences
from app.domain.ledger import closing
from app.domain.ledger.rules import kind_of, natural
from app.web.access import staff
from app.web.admin import ledger_words
from app.web.admin.actors import named
from app.web.errors import words
from app.web.render import render

routes = Blueprint("periods", __name__)


@routes.get("/admin/periods")
@staff("books.view")
def index() -> Response:
    return _page()


@routes.post("/admin/periods")
@staff("books.close", step_up=True)
def create() -> Response:
    """Close a month: hashed with no transaction open, written in one that is short."""
    month, zone = request.form.get("month", ""), preferences.get().zone
    try:
        draft = closing.draw_up(month, zone)
        session.rollback()
        transaction(lambda: closing.close(draft))
    except Refusal as refusal:
        session.rollback()
        flash(words(refusal), "bad")
        return _page(refusal.status)
    flash(_("已结账，指纹已公布"), "good")
    return redirect(url_for("admin.periods.show", month=month), 303)  # type: ignore[return-value]


@routes.get("/admin/periods/<month>")
@staff("books.view")
def show(month: str) -> Response:
    """A closed month; with `check` its hash is computed anew, which takes a while."""
    period = closing.find_period(month)
    holds = closing.still_holds(period) if "check" in request.args else None
    codes = [row[0] for row in period.totals]
    return render(
        "admin/periods/show.html",
        period=period,
        holds=holds,
        rows=[
            (code, [natural(kind_of(code)[0], amount) for amount in (opening, closed)], moved)
            for code, _currency, opening, *moved, closed in period.totals
        ],
        names=ledger_words.account_names(codes),
        closer=named([period.closed_by])[period.closed_by],
        public_url=_public_url(month),
    )


def _page(status: int = 200) -> Response:
    zone = preferences.get().zone
    periods = closing.periods()
    month = closing.next_month(zone)
    return render(
        "admin/periods/index.html",
        status=status,
        periods=periods,
        closers=named(period.closed_by for period in periods),
        month=month,
        is_over=bool(month) and closing.is_over(month, zone),
    )


def _public_url(month: str) -> str:
    base_url: str = current_app.config["SETTINGS"].base_url
    return base_url + url_for("shop.books.show", month=month)
