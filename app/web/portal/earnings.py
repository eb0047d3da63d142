"""What was earned: the list by state and day, and one commission with everything behind it."""

from flask import Blueprint, Response
from flask_babel import gettext as _

from app.core.errors import N_
from app.domain.channels import attribution, figures
from app.domain.channels.models import Commission
from app.web import attribution_words, commission_words, state_words
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
        reasons=_reasons(found),
        steps=commission_words.steps(found.trace),
        postings=[
            (posting, _(commission_words.POSTINGS[posting.kind]))
            for posting in figures.postings(found.id, seller)
        ],
    )


def _reasons(one: Commission) -> list[str]:
    """Why it is hers, a sentence each; the evidence is told to her whose order it is."""
    if one.level > 1:
        return [_("订单是你团队成员的，按第 %(level)s 级计算", level=one.level)]
    found = attribution.of_order(one.order_id)
    # What was corrected since is another's and says nothing of her.
    is_hers = found is not None and found.distributor_id == one.distributor_id
    return attribution_words.sentences(found) if found is not None and is_hers else []
