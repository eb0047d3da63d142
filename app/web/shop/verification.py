"""Whoever holds a settlement statement sees here whether it is one of ours, and still in force."""

from flask import Blueprint, Response

from app.domain.payouts import statements
from app.web import limits
from app.web.access import public
from app.web.render import render

routes = Blueprint("verification", __name__)


@routes.get("/verify/<number>")
@public
@limits.per_address("verify")
def show(number: str) -> Response:
    """The number, who pays, the masked payee, the amount and the hash, and nothing more."""
    issued = statements.find(number.upper()[:40])
    response = render(
        "shop/verification.html",
        statement=issued.statement,
        is_superseded=bool(issued.superseded_by),
    )
    response.headers["Cache-Control"] = "no-store"
    return response
