"""Those who joined under her: who they are as far as it concerns her, and what they sold."""

from flask import Blueprint, Response

from app.core import clock
from app.core.errors import N_
from app.domain.channels import figures, tiers
from app.domain.channels.models import Distributor
from app.web.access import signed_in
from app.web.admin.listing import Listing, Sort
from app.web.portal.holder import distributor

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


def masked(name: str) -> str:
    """The first letter of a name: enough for whoever knows her."""
    return f"{name[:1]}**"
