"""What was earned: the list by state and day, and one commission with everything behind it."""

from flask import Blueprint, Response

from app.core.errors import N_
from app.domain.channels import figures
from app.domain.channels.models import Commission
from app.web import commission_words, state_words
from app.web.access import signed_in
from app.web.admin.listing import Choice, Days, Listing, Sort
from app.web.portal.holder import earner
from app.web.render import render

routes = Blueprint("earnings", __name__)

LISTING = Listing(
    name="earnings",
    model=Commission,
    # What is not delivered yet is the newest.
    sorts=(Sort("newest", N_("最新的在前"), (Commission.earned_at.desc().nulls_first(),)),),
    choices=(
        Choice(
            "state",
            N_("状态"),
            lambda: state_words.options("commission"),
            lambda value: Commission.state == value,
        ),
    ),
    days=Days(Commission.earned_at),
)


@routes.get("/portal/earnings")
@signed_in
def index() -> Response:
    return LISTING.answer(figures.commissions(earner().id), "portal/earnings/index.html")


@routes.get("/portal/earnings/<int:commission_id>")
@signed_in
def show(commission_id: int) -> Response:
    """From what, by which rule, why it is hers, and what the books say."""
    seller = earner()
    found = figures.find(seller.id, commission_id)
    return render(
        "portal/earnings/show.html",
        commission=found,
        reasons=commission_words.reasons(figures.attribution_of(found.order_id), found.level),
        steps=commission_words.steps(found),
        postings=[
            (posting, commission_words.posting(posting))
            for posting in figures.postings(found.id, seller)
        ],
    )
