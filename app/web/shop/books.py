"""What the shop publishes of a closed month of its books: enough to tell whether they changed."""

from flask import Blueprint, Response

from app.domain.ledger import closing
from app.web.access import public
from app.web.render import render

routes = Blueprint("books", __name__)


@routes.get("/books/<month>")
@public
def show(month: str) -> Response:
    """Its hash, when it was closed, and how many transactions it has; no amount."""
    return render("shop/books.html", period=closing.find_period(month))
