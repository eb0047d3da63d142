"""A provider's callback: verify it, take it, acknowledge it; nothing else before the answer."""

from functools import partial

import structlog
from flask import Blueprint, Response, abort, request

from app.core import clock
from app.core.actors import act_as
from app.core.db import session, transaction
from app.core.errors import NotFound
from app.domain.recharges import engine, providers, queries
from app.providers.callbacks import Callback, Forged, Malformed, Reply
from app.web.access import callback

log = structlog.get_logger()

routes = Blueprint("recharges", __name__)

BODY_LIMIT = 64 * 1024


@routes.route("/hooks/recharges/<slug>", methods=["GET", "POST"])
@callback
def create(slug: str) -> Response:
    """Take a provider's message exactly once, and say so in the provider's own words.

    A database fault answers 500, so the provider sends it again; a forged message is refused and
    changes nothing; a message about a number that is not ours is kept and acknowledged.
    """
    try:
        row = queries.find_provider(slug)
    except NotFound:
        abort(404)
    provider, provider_id = providers.adapter(row.id), row.id
    session.rollback()
    message = Callback(
        method=request.method,
        path=request.path,
        query=list(request.args.items(multi=True)),
        headers=dict(request.headers.items()),
        body=request.stream.read(BODY_LIMIT + 1),
        received_at=clock.now(),
    )
    act_as(f"provider:{slug}")
    try:
        notice = provider.parse_callback(message)
    except (Forged, Malformed) as error:
        log.warning("callback.refused", provider=slug, why=type(error).__name__)
        return _answer(provider.acknowledge(False))
    is_ours = transaction(partial(engine.take_notice, provider_id, notice.number, notice.result))
    log.info("callback.taken", provider=slug, number=notice.number, ours=is_ours)
    return _answer(provider.acknowledge(True))


def _answer(reply: Reply) -> Response:
    return Response(reply.body, reply.status, content_type=reply.content_type)
