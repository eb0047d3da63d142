"""Withheld tax in the console: by month, what the tax office is sent, and how a payee is taxed."""

from collections.abc import Sequence
from datetime import date

from flask import Blueprint, Response, flash, redirect, request, url_for
from flask_babel import gettext as _

from app.core import audit, clock
from app.core.db import session, transaction
from app.core.errors import NotFound, Refusal
from app.domain.catalog import preferences
from app.domain.payouts import tax_profiles, tax_reports
from app.domain.payouts.paper_models import TaxMode
from app.domain.payouts.tax_reports import Row
from app.web import papers, state_words
from app.web.access import staff
from app.web.admin.actors import named
from app.web.admin.export import cell, line, yuan
from app.web.admin.typed import Typed
from app.web.render import render

routes = Blueprint("taxes", __name__)

CSV = "text/csv; charset=utf-8"
# The tables of withholding begin with the first.
EARLIEST_YEAR, LATEST_YEAR = 2019, 2100
QUARTERS = (1, 2, 3, 4)


@routes.get("/admin/taxes")
@staff("payouts.view")
def index() -> Response:
    month = _month(request.args.get("month", ""))
    rows = tax_reports.rows(month, month)
    today = clock.today(preferences.get().zone)
    months = sorted({month, today.replace(day=1), *tax_reports.months()}, reverse=True)
    return render(
        "admin/taxes/index.html",
        month=month,
        months=[(f"{one:%Y-%m}", f"{one:%Y-%m}") for one in months],
        rows=rows,
        income=sum(row.income for row in rows),
        tax=sum(row.tax for row in rows),
        years=sorted({one.year for one in months}, reverse=True),
        year=month.year,
        quarter=(month.month + 2) // 3,
    )


@routes.get("/admin/taxes/years/<int:year>/file")
@staff("payouts.pay", step_up=True)
def show_year_file(year: int) -> Response:
    """What was paid and withheld in a year, a payee a line, for the payees' yearly settlement."""
    first, last = date(_year(year), 1, 1), date(_year(year), 12, 1)
    return _file(f"tax-{year}.csv", "tax.year", tax_reports.rows(first, last, only_paid=True))


@routes.get("/admin/taxes/years/<int:year>/quarters/<int:quarter>/file")
@staff("payouts.pay", step_up=True)
def show_quarter_file(year: int, quarter: int) -> Response:
    """Payees' identity and income of a quarter (国务院令第810号): due in the month after it."""
    first, last = tax_reports.quarter_months(_year(year), _quarter(quarter))
    rows = tax_reports.rows(first, last, only_paid=True)
    return _file(f"tax-{year}-Q{quarter}.csv", "tax.quarter", rows)


@routes.get("/admin/taxes/payees/<uid>")
@staff("payouts.view")
def show(uid: str) -> Response:
    return _page(uid, Typed({}))


@routes.post("/admin/taxes/payees/<uid>")
@staff("payouts.pay", step_up=True)
def update(uid: str) -> Response:
    """How she is taxed, and a non-resident's rate; with a reason."""
    holder, _profile = tax_profiles.find(uid)
    holder_id, typed = holder.id, Typed(request.form)
    text = typed.text("mode")
    mode = TaxMode(text) if text in set(TaxMode) else TaxMode.INDIVIDUAL_PER_MONTH
    # In percent with two digits at most, as amounts are written: basis points.
    rate_bp = typed.money("rate") if mode == TaxMode.NON_RESIDENT else None
    if typed.errors:
        return _page(uid, typed, 422)
    reason = typed.text("reason")[:200]
    try:
        transaction(lambda: tax_profiles.choose_mode(holder_id, mode, rate_bp, reason))
    except Refusal as refusal:
        session.rollback()
        typed.note([refusal])
        return _page(uid, typed, refusal.status)
    flash(_("计税方式已保存，从下一笔付款起生效"), "good")
    return redirect(url_for("admin.taxes.show", uid=uid), 303)  # type: ignore[return-value]


def _page(uid: str, typed: Typed, status: int = 200) -> Response:
    holder, profile = tax_profiles.find(uid)
    shown = {}
    if profile is not None:
        rate = "" if profile.rate_bp is None else str(yuan(profile.rate_bp))
        shown = {"mode": str(profile.mode), "rate": rate}
    return render(
        "admin/taxes/show.html",
        status=status,
        holder=holder,
        profile=profile,
        who=named([profile.created_by]) if profile else {},
        modes=state_words.options("tax_mode"),
        typed=shown | typed.texts,
        errors=typed.errors,
    )


def _month(text: str) -> date:
    """A month as `2026-11`; the present one when it is none."""
    try:
        return date.fromisoformat(f"{text}-01")
    except ValueError:
        return clock.today(preferences.get().zone).replace(day=1)


def _year(year: int) -> int:
    if not EARLIEST_YEAR <= year <= LATEST_YEAR:
        raise NotFound
    return year


def _quarter(quarter: int) -> int:
    if quarter not in QUARTERS:
        raise NotFound
    return quarter


def _file(name: str, action: str, rows: Sequence[Row]) -> Response:
    """Names and numbers in the open: never without the row in the audit log."""
    titles = (
        *(_("分销商"), _("姓名或名称"), _("证件类型"), _("证件号码"), _("计税方式")),
        *(_("付款笔数"), _("收入"), _("代扣税款")),
    )
    lines = [
        line(
            [
                cell(row.distributor.name),
                cell(full_name),
                state_words.word("identity_kind", row.profile.identity_kind),
                # As a text, or a spreadsheet would round eighteen digits.
                f"\t{identity}",
                state_words.word("tax_mode", row.method),
                str(row.count),
                str(yuan(row.income)),
                str(yuan(row.tax)),
            ]
        )
        for row, full_name, identity in tax_reports.identities(list(rows))
    ]
    transaction(lambda: audit.record(action, "withholdings", None, rows=len(rows), file=name))
    text = "\ufeff" + line(titles) + "".join(lines)
    return papers.attachment(name, CSV, text.encode())
