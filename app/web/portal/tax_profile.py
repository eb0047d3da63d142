"""Who she is for the tax office: shown masked, entered anew only by whoever proves it is she."""

from flask import Blueprint, Response, flash, redirect, request, url_for
from flask_babel import gettext as _

from app.core.db import session, transaction
from app.core.errors import Refusal
from app.domain.payouts import tax_profiles
from app.domain.payouts.paper_models import IdentityKind
from app.domain.payouts.tax_profiles import ProfileFields
from app.web import limits, state_words
from app.web.access import signed_in
from app.web.admin.typed import Typed
from app.web.portal.holder import earner
from app.web.portal.proof import prove, typed_without_secrets
from app.web.render import render

routes = Blueprint("tax_profile", __name__)


@routes.get("/portal/tax-profile")
@signed_in
def show() -> Response:
    return _page(Typed({"identity_kind": request.args.get("kind", "")}))


@routes.post("/portal/tax-profile")
@signed_in
@limits.per_address("sign_in")
def update() -> Response:
    holder_id, typed = earner().id, Typed(typed_without_secrets())
    fields = ProfileFields(
        _kind(typed),
        typed.text("name")[:200],
        typed.text("identity")[:100],
        is_resident=typed.text("residence") != "abroad",
    )
    try:
        prove()
        transaction(lambda: tax_profiles.enter(holder_id, fields))
    except Refusal as refusal:
        session.rollback()
        typed.note([refusal])
        return _page(typed, refusal.status)
    flash(_("税务资料已保存"), "good")
    return redirect(url_for("portal.tax_profile.show"), 303)  # type: ignore[return-value]


def _kind(typed: Typed) -> IdentityKind:
    text = typed.text("identity_kind")
    return IdentityKind(text) if text in set(IdentityKind) else IdentityKind.RESIDENT_ID


def _page(typed: Typed, status: int = 200) -> Response:
    holder, kind = earner(), _kind(typed)
    return render(
        "portal/tax_profile.html",
        status=status,
        profile=tax_profiles.current(holder.id),
        kind=str(kind),
        kinds=[
            (
                state_words.word("identity_kind", one),
                url_for("portal.tax_profile.show", kind=one),
                one == kind,
            )
            for one in IdentityKind
        ],
        has_code=holder.person.totp_sealed is not None,
        typed=typed.texts,
        errors=typed.errors,
    )
