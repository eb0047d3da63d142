"""Where her money goes: accounts are added, chosen and retired by whoever proves it is she."""

from collections.abc import Callable

from flask import Blueprint, Response, flash, redirect, request, url_for
from flask_babel import gettext as _

from app.core import clock
from app.core.db import session, transaction
from app.core.errors import NotFound, Refusal
from app.domain.payouts import accounts, queries
from app.domain.payouts.models import AccountKind
from app.domain.payouts.rules import AccountFields
from app.domain.risk.stopping import Stopped
from app.web import captcha, limits, state_words
from app.web.access import signed_in
from app.web.account import entering
from app.web.admin.typed import Typed
from app.web.errors import words
from app.web.portal.holder import earner
from app.web.portal.proof import prove, typed_without_secrets
from app.web.render import render

routes = Blueprint("payout_accounts", __name__)

# The most usual first.
KINDS = (AccountKind.ALIPAY, AccountKind.BANK_CARD, AccountKind.COMPANY)


@routes.get("/portal/payout-accounts")
@signed_in
def index() -> Response:
    found = queries.accounts_of(earner().id)
    return render("portal/payout_accounts/index.html", accounts=found, now=clock.now())


@routes.get("/portal/payout-accounts/new")
@signed_in
def new() -> Response:
    return _form(Typed({"kind": request.args.get("kind", "")}))


@routes.post("/portal/payout-accounts")
@signed_in
@limits.per_address("sign_in")
def create() -> Response:
    holder_id = earner().id
    typed = Typed(typed_without_secrets())
    fields = AccountFields(
        kind=_kind(typed),
        **{name: typed.text(name)[:200] for name in ("holder", "account", "bank", "branch")},
    )
    visit = captcha.visit()
    try:
        prove()
        transaction(lambda: accounts.add(holder_id, fields, visit))
    except Refusal as refusal:
        session.rollback()
        if isinstance(refusal, Stopped):
            entering.keep(refusal)
        typed.note([refusal])
        return _form(typed, refusal.status)
    flash(_("收款账户已添加，24 小时后可以收款"), "good")
    return _to_list()


@routes.post("/portal/payout-accounts/<uid>/default")
@signed_in
@limits.per_address("sign_in")
def create_default(uid: str) -> Response:
    return _act(uid, accounts.make_default, _("已设为默认收款账户"))


@routes.post("/portal/payout-accounts/<uid>/retirement")
@signed_in
@limits.per_address("sign_in")
def create_retirement(uid: str) -> Response:
    return _act(uid, accounts.retire, _("已停用，不会再向它打款"))


def _act(uid: str, act: Callable[[int, str], None], done: str) -> Response:
    holder_id = earner().id
    queries.find_account(holder_id, uid)
    try:
        prove()
        transaction(lambda: act(holder_id, uid))
    except NotFound:
        raise
    except Refusal as refusal:
        session.rollback()
        flash(words(refusal), "bad")
    else:
        flash(done, "good")
    return _to_list()


def _kind(typed: Typed) -> AccountKind:
    text = typed.text("kind")
    return AccountKind(text) if text in set(AccountKind) else AccountKind.ALIPAY


def _form(typed: Typed, status: int = 200) -> Response:
    holder, kind = earner(), _kind(typed)
    return render(
        "portal/payout_accounts/new.html",
        status=status,
        kind=str(kind),
        kinds=[
            (
                state_words.word("payout_account_kind", one),
                url_for("portal.payout_accounts.new", kind=one),
                one == kind,
            )
            for one in KINDS
        ],
        has_code=holder.person.totp_sealed is not None,
        typed=typed.texts,
        errors=typed.errors,
    )


def _to_list() -> Response:
    return redirect(url_for("portal.payout_accounts.index"), 303)  # type: ignore[return-value]
