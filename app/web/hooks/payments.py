"""A channel's callback: verify it, take it, acknowledge it; nothing else before the answer."""

import structlog
from flask import Blueprint, Response, abort, request

from app.core import clock
from app.core.actors import act_as
from app.core.db import transaction
from app.domain.catalog import preferences
from app.domain.orders import settling
from app.domain.orders.models import Verdict
from app.providers import payments
from app.providers.callbacks import Callback, Forged, Malformed, Reply
from app.providers.payments.interface import Notice, UnknownChannel
from app.web.access import callback

log = structlog.get_logger()

routes = Blueprint("payments", __name__)

BODY_LIMIT = 64 * 1024


@routes.route("/hooks/payments/<channel>", methods=["GET", "POST"])
@callback
def create(channel: str) -> Response:
    """Take a channel's message exactly once, and say so in the channel's own words.

    A database fault answers 500, so the channel sends it again; a forged message is refused and
    changes nothing; a message about a payment we never asked for is kept and acknowledged.
    """
    try:
        provider = payments.channel(channel)
    except UnknownChannel:
        abort(404)
    message = Callback(
        method=request.method,
        path=request.path,
        query=list(request.args.items(multi=True)),
        headers=dict(request.headers.items()),
        body=request.stream.read(BODY_LIMIT + 1),
        received_at=clock.now(),
    )
    act_as(f"channel:{channel}")
    try:
        notice = provider.parse_callback(message)
    except (Forged, Malformed) as error:
        log.warning("callback.refused", channel=channel, why=type(error).__name__)
        return _answer(provider.acknowledge(False))
    if notice.is_paid:
        verdict = _take(channel, notice)
        log.info("callback.taken", channel=channel, number=notice.number, verdict=verdict)
    return _answer(provider.acknowledge(True))


def _take(channel: str, notice: Notice) -> Verdict:
    today = clock.today(preferences.get().zone)
    receipt = settling.Receipt(
        channel=channel,
        event_id=notice.event_id,
        number=notice.number,
        trade_number=notice.trade_number,
        amount=notice.amount,
        currency=notice.currency,
        payer=notice.payer or "",
        source="callback",
    )
    return transaction(lambda: settling.settle(receipt, today))


def _answer(reply: Reply) -> Response:
    return Response(reply.body, reply.status, content_type=reply.content_type)
