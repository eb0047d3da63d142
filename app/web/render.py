"""How pages are drawn: one function chooses between a page and its fragment."""

from collections.abc import MutableMapping
from typing import Any

from flask import Flask, Response, make_response, render_template, request
from flask.templating import Environment


class PlainGlobals(Environment):
    """Templates share the environment's globals as they are.

    Jinja puts a ChainMap around them for each template, and looks through it name by name at every
    import of a macro: a twentieth of a page's time, for globals that no template here has.
    """

    def make_globals(self, d: MutableMapping[str, Any] | None) -> MutableMapping[str, Any]:
        return super().make_globals(d) if d else self.globals


def init_app(app: Flask) -> None:
    app.jinja_environment = PlainGlobals


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
