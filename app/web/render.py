"""One function chooses between a page and its fragment."""

from flask import Response, make_response, render_template, request


def render(
    page: str, fragment: str | None = None, status: int = 200, **context: object
) -> Response:
    """The page, or for an HTMX swap its fragment alone: one copy of the markup serves both."""
    wants_fragment = (
        fragment is not None
        and request.headers.get("HX-Request") == "true"
        and request.headers.get("HX-Boosted") != "true"
        and request.headers.get("HX-History-Restore-Request") != "true"
    )
    template = fragment if wants_fragment and fragment else page
    response = make_response(render_template(template, **context), status)
    response.vary.add("HX-Request")
    return response
