"""Becoming a distributor: the application, what became of it, and the link of an invitation.

Whose application it is says the session alone: no address and no form names a distributor.
"""

from flask import Blueprint, Response, flash, redirect, request, url_for
from flask_babel import gettext as _
from flask_login import current_user

from app.core.db import session, transaction
from app.core.errors import NotFound, Refusal
from app.domain.channels import joining, queries
from app.domain.channels.joining import Application
from app.domain.channels.models import Distributor, DistributorInvitation, DistributorState
from app.web import limits
from app.web.access import public, signed_in
from app.web.errors import words
from app.web.render import render

routes = Blueprint("application", __name__)


@routes.get("/portal/application")
@signed_in
def show() -> Response:
    return _page()


@routes.post("/portal/application")
@signed_in
@limits.per_address("apply")
def create() -> Response:
    return _apply()


@routes.get("/portal/join/<token>")
@public
@limits.per_address("open_link")
def show_invitation(token: str) -> Response:
    """Who invites, and to what; a stranger is led to an account first, and back."""
    return _page(token)


@routes.post("/portal/join/<token>")
@signed_in
@limits.per_address("apply")
def accept_invitation(token: str) -> Response:
    """Apply under whoever invited; the link is used up by it."""
    return _apply(token)


def _apply(token: str = "") -> Response:
    typed = {name: request.form.get(name, "")[:2000] for name in ("name", "introduction")}
    person_id = current_user.id
    try:
        transaction(lambda: joining.apply(person_id, Application(**typed), token))
    except NotFound:
        raise
    except Refusal as refusal:
        session.rollback()
        return _page(token, typed, {refusal.field: words(refusal)}, refusal.status)
    flash(_("申请已提交，审核结果会显示在这里"), "good")
    return redirect(url_for("portal.application.show"), 303)  # type: ignore[return-value]


def _page(
    token: str = "",
    typed: dict[str, str] | None = None,
    errors: dict[str, str] | None = None,
    status: int = 200,
) -> Response:
    mine = queries.find_of(current_user.id) if current_user.is_authenticated else None
    may_apply = mine is None or mine.state == DistributorState.REFUSED
    invitation = queries.find_invitation(token) if token and may_apply else None
    return render(
        "portal/application.html",
        status=status,
        distributor=mine,
        may_apply=may_apply,
        inviter=_inviter(invitation),
        token=token,
        typed=typed or {"name": mine.name if mine else "", "introduction": _introduction(mine)},
        errors=errors or {},
    )


def _inviter(invitation: DistributorInvitation | None) -> str:
    """The name of the distributor who invites; empty when it is the shop."""
    if invitation is None or invitation.parent_id is None:
        return ""
    return session.get_one(Distributor, invitation.parent_id).name


def _introduction(mine: Distributor | None) -> str:
    return mine.introduction if mine else ""
