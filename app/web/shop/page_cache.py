"""A second's memory for pages that every stranger sees alike.

A product link in a large group chat brings its crowd within minutes. For visitors without any
cookie of ours the rendered page is kept for a moment; only the two secrets in it (the CSRF token
and the checkout key) differ, and are put in as it is sent. What is a second old is checked again
when the form comes: stock, price and state are decided there.
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from functools import wraps
from threading import Lock

from flask import Response, g, make_response, request
from flask import session as visit
from flask_babel import get_locale
from flask_wtf.csrf import generate_csrf

from app.core import ids

SECONDS = 1.0
PAGES = 500
CSRF_MARK = "csrf-mark-Qm8XvT2c"
CHECKOUT_MARK = "checkout-mark-Zr4LdW9k"
# Cookies that do not change how a page looks to a stranger.
HARMLESS = {"visit", "click", "device"}

_pages: OrderedDict[tuple[str, str, str], tuple[float, bytes]] = OrderedDict()
_lock = Lock()


def for_strangers(view: Callable[..., Response]) -> Callable[..., Response]:
    """Serve a GET view from memory to visitors who carry nothing that changes it."""

    @wraps(view)
    def cached(**values: str) -> Response:
        if not _is_stranger():
            return view(**values)
        key = (request.full_path, str(get_locale()), request.accept_encodings.best or "")
        body = _remembered(key)
        if body is None:
            g.marks = True
            rendered = view(**values)
            if rendered.status_code != 200:
                return rendered
            body = _remember(key, rendered.get_data())
        return _personal(body)

    return cached


def forget() -> None:
    """Drop every page: another shop is served."""
    with _lock:
        _pages.clear()


def checkout_key() -> str:
    """A new one-time key, or the mark that stands for it in a page kept for everybody."""
    return CHECKOUT_MARK if g.get("marks") else ids.token()


def csrf() -> str:
    """The template's `csrf_token()`: the visitor's own, or its mark."""
    return CSRF_MARK if g.get("marks") else generate_csrf()


def _is_stranger() -> bool:
    has_message = "_flashes" in visit
    return not (set(request.cookies) - HARMLESS or has_message or "HX-Request" in request.headers)


def _remembered(key: tuple[str, str, str]) -> bytes | None:
    found = _pages.get(key)
    if found is None or time.monotonic() - found[0] > SECONDS:
        return None
    return found[1]


def _remember(key: tuple[str, str, str], body: bytes) -> bytes:
    with _lock:
        _pages[key] = (time.monotonic(), body)
        _pages.move_to_end(key)
        while len(_pages) > PAGES:
            _pages.popitem(last=False)
    return body


def _personal(body: bytes) -> Response:
    """The page with this visitor's own secrets in the places of the marks."""
    body = body.replace(CSRF_MARK.encode(), generate_csrf().encode())
    body = body.replace(CHECKOUT_MARK.encode(), ids.token().encode())
    response = make_response(body)
    response.vary.update({"HX-Request", "Cookie", "Accept-Language"})
    return response
