"""The reader's language and light or dark, kept in cookies of their own."""

from flask import Blueprint, Response, current_app, redirect, request

from app.web.access import public, safe_next

routes = Blueprint("preferences", __name__)

YEAR = 365 * 24 * 3600
LANGUAGES = ("zh", "en")
THEMES = ("light", "dark", "system")


@routes.post("/preferences/language")
@public
def update_language() -> Response:
    return _remember("language", LANGUAGES)


@routes.post("/preferences/theme")
@public
def update_theme() -> Response:
    return _remember("theme", THEMES)


def _remember(name: str, choices: tuple[str, ...]) -> Response:
    response: Response = redirect(safe_next(request.form.get("next", "/")), 303)  # type: ignore[assignment]
    value = request.form.get(name, "")
    if value in choices:
        response.set_cookie(
            name,
            value,
            max_age=YEAR,
            samesite="Lax",
            secure=current_app.config["SESSION_COOKIE_SECURE"],
        )
    return response
