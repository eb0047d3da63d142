"""A payout channel's callback: verified, taken, acknowledged; nothing else before the answer."""

import structlog
from flask import Blueprint, Response, abort, request

from app.core import clock
from app.core.actors import act_as
from app.core.db import transaction
from app.domain.payouts import paying
from app.providers import payouts
from app.providers.callbacks import Callback, Forged, Malformed, Reply
from app.providers.payouts.interface import UnknownProvider
from app.web.access import callback

log = structlog.get_logger()

routes = Blueprint("payouts", __name__)

BODY_LIMIT = 64 * 1024


@routes.post("/hooks/payouts/<method>")
@callback
def create(method: str) -> Response:
    """Take what a channel tells of a payout; forged it changes nothing."""
    try:
        provider = payouts.provider(method)
    except UnknownProvider:
        abort(404)
    message = Callback(
        method=request.method,
        path=request.path,
        query=list(request.args.items(multi=True)),
        headers=dict(request.headers.items()),
        body=request.stream.read(BODY_LIMIT + 1),
        received_at=clock.now(),
    )
    act_as(f"channel:{method}")
    try:
        notice = provider.parse_callback(message)
    except (Forged, Malformed) as error:
        log.warning("callback.refused", channel=method, why=type(error).__name__)
        return _answer(provider.acknowledge(False))
    is_ours = transaction(lambda: paying.take_notice(method, notice.number, notice.result))
    log.info("callback.taken", channel=method, number=notice.number, is_ours=is_ours)
    return _answer(provider.acknowledge(True))


def _answer(reply: Reply) -> Response:
    return Response(reply.body, reply.status, content_type=reply.content_type)
