"""Pictures, served by the digest of their content: what a URL shows never changes."""

from flask import Blueprint, Response

from app.domain.catalog import pictures
from app.web.access import public

routes = Blueprint("pictures", __name__)

FOREVER = "public, max-age=31536000, immutable"


@routes.get("/pictures/<digest>")
@public
def show(digest: str) -> Response:
    return _picture(pictures.content_of(digest))


@routes.get("/pictures/<digest>/small")
@public
def show_small(digest: str) -> Response:
    """At most 480 px a side: for cards and lists."""
    return _picture(pictures.small_content_of(digest))


def _picture(content: bytes) -> Response:
    return Response(content, mimetype=pictures.CONTENT_TYPE, headers={"Cache-Control": FOREVER})
