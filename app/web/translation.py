"""In which language a page speaks: the reader's choice, else her account's, else her browser's."""

from flask import Flask, g, request
from flask_babel import Babel, get_domain, get_locale
from markupsafe import Markup

LANGUAGES = ("zh", "en")
THEMES = ("system", "light", "dark")
YEAR = 365 * 24 * 3600

babel = Babel()


def init_app(app: Flask) -> None:
    # The message ids are the Chinese sentences, so Chinese needs no catalogue.
    babel.init_app(app, default_locale="zh", locale_selector=choose)
    app.context_processor(lambda: {"language": language(), "theme": theme()})
    app.jinja_env.globals["_"] = sentence


def sentence(message: str, **values: object) -> Markup:
    """`_()` of the templates. The catalogue is looked up once a request, not once a sentence: an
    order's page says eighty."""
    if "catalogue" not in g:
        g.catalogue = get_domain().get_translations()
    spoken: str = g.catalogue.gettext(message)
    return Markup(spoken) % values if "%" in spoken else Markup(spoken)  # noqa: S704  our own words


def choose() -> str:
    """The cookie `language`, the account's language, `Accept-Language`, then Chinese."""
    chosen = request.cookies.get("language")
    if chosen in LANGUAGES:
        return chosen
    # Only who was already looked for: choosing a language is no reason to ask the database.
    holder = g.get("holder")
    if holder is not None and holder.language in LANGUAGES:
        return str(holder.language)
    return request.accept_languages.best_match(LANGUAGES) or "zh"


def language() -> str:
    return str(get_locale() or "zh")


def theme() -> str:
    """Light or dark as chosen on this device; "system" until somebody chooses."""
    chosen = request.cookies.get("theme", "")
    return chosen if chosen in THEMES else "system"
