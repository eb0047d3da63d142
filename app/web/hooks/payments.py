"""A payment channel's callback."""

from flask import Blueprint, Response, abort

from app.core import clock
from app.core.db import transaction
from app.domain.catalog import preferences
from app.domain.orders import settling
from app.providers import payments
from app.providers.payments.interface import Notice, UnknownChannel
from app.web.access import callback
from app.web.hooks import taking

routes = Blueprint("payments", __name__)


@routes.route("/hooks/payments/<channel>", methods=["GET", "POST"])
@callback
def create(channel: str) -> Response:
    """Take what a channel tells of a payment; one that we never asked for is kept and
    acknowledged."""
    try:
        provider = payments.channel(channel)
    except UnknownChannel:
        abort(404)

    def take(notice: Notice) -> dict[str, object]:
        verdict = _settle(channel, notice) if notice.is_paid else "not paid"
        return {"number": notice.number, "verdict": verdict}

    return taking.receive(provider, f"channel:{channel}", take)


def _settle(channel: str, notice: Notice) -> str:
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
