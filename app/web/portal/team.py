"""Those who joined under her: who they are as far as it concerns her, what they sold, and the link
by which another may join."""

import segno
from flask import Blueprint, Response, current_app, flash, redirect, url_for

from app.core import clock
from app.core.db import session, transaction
from app.core.errors import N_, Conflict
from app.domain.channels import figures, joining, tiers
from app.domain.channels.models import Distributor
from app.web import limits
from app.web.access import signed_in
from app.web.admin.listing import Listing, Sort
from app.web.errors import words
from app.web.portal.holder import distributor
from app.web.render import render

routes = Blueprint("team", __name__)

LISTING = Listing(
    name="team",
    model=Distributor,
    sorts=(Sort("newest", N_("最新的在前"), (Distributor.approved_at.desc(),)),),
)


@routes.get("/portal/team")
@signed_in
def index() -> Response:
    return LISTING.answer(
        figures.team(distributor().id),
        "portal/team/index.html",
        beside=lambda rows: {
            "sales": tiers.net_sales(clock.now() - tiers.WINDOW, [one.id for one in rows]),
            "names": {one.id: masked(one.name) for one in rows},
        },
        pays_two_levels=figures.pays_two_levels(),
    )


@routes.post("/portal/team/invitations")
@signed_in
@limits.per_address("apply")
def create_invitation() -> Response:
    """A link by which one person may join under her; it is shown on this page, once."""
    seller_id = distributor().id
    try:
        made = transaction(lambda: joining.invite(seller_id))
    except Conflict as conflict:
        session.rollback()
        flash(words(conflict), "bad")
        return redirect(url_for("portal.team.index"), 303)  # type: ignore[return-value]
    # Our own address, not the one the request claims: a forged Host would carry the link away.
    base_url: str = current_app.config["SETTINGS"].base_url
    path = url_for("portal.application.show_invitation", token=made.token.reveal())
    return render(
        "portal/team/link.html",
        link=base_url + path,
        qr=segno.make_qr(base_url + path, error="m").svg_data_uri(border=2, scale=4),
        expires_at=made.expires_at,
    )


def masked(name: str) -> str:
    """The first letter of a name: enough for whoever knows her."""
    return f"{name[:1]}**"
