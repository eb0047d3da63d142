"""Money out: the whole balance to the usual account in two taps, and what became of each."""

from flask import Blueprint, Response, flash, redirect, request, url_for
from flask_babel import gettext as _

from app.core import clock, ids
from app.core.db import session, transaction
from app.core.errors import NotFound, Refusal
from app.core.money import yuan
from app.domain.catalog import preferences
from app.domain.payouts import queries, statements, tax_profiles, withdrawals
from app.domain.payouts.models import Withdrawal
from app.domain.payouts.withdrawals import Wish
from app.domain.risk.stopping import Stopped
from app.web import captcha, limits
from app.web.access import signed_in
from app.web.account import entering
from app.web.admin.typed import Typed
from app.web.errors import words
from app.web.portal.holder import earner
from app.web.render import render

routes = Blueprint("withdrawals", __name__)


@routes.get("/portal/withdrawals")
@signed_in
def index() -> Response:
    holder = earner()
    return render(
        "portal/withdrawals/index.html",
        payable=queries.payable(holder.uid),
        pending=queries.pending(holder.uid),
        withdrawals=queries.list_of(holder.id),
        has_profile=tax_profiles.current(holder.id) is not None,
    )


@routes.get("/portal/withdrawals/new")
@signed_in
def new() -> Response:
    return _form(Typed({}))


@routes.post("/portal/withdrawals")
@signed_in
@limits.per_address("withdraw")
def create() -> Response:
    holder_id, typed = earner().id, Typed(request.form)
    gross = typed.money("amount")
    if gross is None:
        typed.errors.setdefault("amount", _("请填写金额，例如 12.50"))
    if typed.errors or gross is None:
        return _form(typed, 422)
    wish, visit = Wish(typed.text("account"), gross, typed.text("key")[:64]), captcha.visit()
    try:
        number = transaction(lambda: withdrawals.request(holder_id, wish, visit).number)
    except Refusal as refusal:
        session.rollback()
        if isinstance(refusal, Stopped):
            entering.keep(refusal)
        typed.note([refusal])
        return _form(typed, refusal.status)
    flash(_("提现申请已提交"), "good")
    return _to(number)


@routes.get("/portal/withdrawals/<number>")
@signed_in
def show(number: str) -> Response:
    return _page(queries.find_for(earner().id, number))


@routes.post("/portal/withdrawals/<number>/cancellation")
@signed_in
def create_cancellation(number: str) -> Response:
    """Take it back before anybody has approved it."""
    holder_id = earner().id
    try:
        transaction(lambda: withdrawals.cancel(holder_id, number))
    except NotFound:
        raise
    except Refusal as refusal:
        session.rollback()
        flash(words(refusal), "bad")
    else:
        flash(_("已撤回，金额回到可提现余额"), "good")
    return _to(number)


def _to(number: str) -> Response:
    return redirect(url_for("portal.withdrawals.show", number=number), 303)  # type: ignore[return-value]


def _form(typed: Typed, status: int = 200) -> Response:
    """The whole balance and the usual account are filled in; what was typed is kept."""
    holder = earner()
    payable = queries.payable(holder.uid)
    accounts = queries.active_accounts(holder.id)
    rules = preferences.get()
    default = accounts[0].uid if accounts else ""
    return render(
        "portal/withdrawals/new.html",
        status=status,
        payable=payable,
        accounts=accounts,
        chosen=typed.texts.get("account", default),
        amount=typed.texts.get("amount", yuan(max(payable, 0)).replace(",", "")),
        key=typed.texts.get("key") or ids.token(),
        errors=typed.errors,
        rules=rules,
        is_enough=payable >= rules.payout_minimum,
        now=clock.now(),
    )


def _page(withdrawal: Withdrawal) -> Response:
    return render(
        "portal/withdrawals/show.html",
        "portal/withdrawals/_withdrawal.html",
        withdrawal=withdrawal,
        account=withdrawal.account,
        is_cooling=withdrawal.account.usable_at > clock.now(),
        statement=statements.number_of(withdrawal.id),
    )
