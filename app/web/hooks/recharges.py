"""A recharge provider's callback."""

from functools import partial

from flask import Blueprint, Response, abort

from app.core.db import session, transaction
from app.core.errors import NotFound
from app.domain.recharges import engine, providers, queries
from app.providers.recharges.interface import Notice
from app.web.access import callback
from app.web.hooks import taking

routes = Blueprint("recharges", __name__)


@routes.route("/hooks/recharges/<slug>", methods=["GET", "POST"])
@callback
def create(slug: str) -> Response:
    """Take what a provider tells of a recharge; a number that is not ours is kept and
    acknowledged."""
    try:
        row = queries.find_provider(slug)
    except NotFound:
        abort(404)
    provider, provider_id = providers.adapter(row.id), row.id
    session.rollback()

    def take(notice: Notice) -> dict[str, object]:
        wanted = partial(engine.take_notice, provider_id, notice.number, notice.result)
        return {"number": notice.number, "is_ours": transaction(wanted)}

    return taking.receive(provider, f"provider:{slug}", take)
