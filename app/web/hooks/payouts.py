"""A payout channel's callback."""

from flask import Blueprint, Response, abort

from app.core.db import transaction
from app.domain.payouts import paying
from app.providers import payouts
from app.providers.payouts.interface import Notice, UnknownProvider
from app.web.access import callback
from app.web.hooks import taking

routes = Blueprint("payouts", __name__)


@routes.post("/hooks/payouts/<method>")
@callback
def create(method: str) -> Response:
    """Take what a channel tells of a payout."""
    try:
        provider = payouts.provider(method)
    except UnknownProvider:
        abort(404)

    def take(notice: Notice) -> dict[str, object]:
        is_ours = transaction(lambda: paying.take_notice(method, notice.number, notice.result))
        return {"number": notice.number, "is_ours": is_ours}

    return taking.receive(provider, f"channel:{method}", take)
