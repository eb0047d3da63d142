"""The faces: the only part of the shop that knows requests and templates."""

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from app.settings import Settings
from app.web import (
    access,
    assets,
    errors,
    filters,
    limits,
    ops,
    render,
    requests,
    security,
    state_words,
    translation,
)
from app.web.account import account
from app.web.admin import admin
from app.web.hooks import hooks
from app.web.portal import portal
from app.web.redeem import redeem
from app.web.shop import shop


def init_app(app: Flask, settings: Settings) -> None:
    """Attach everything that stands between a request and the domain."""
    app.config.update(
        SECRET_KEY=settings.secret_key,
        SESSION_COOKIE_NAME="visit",
        SESSION_COOKIE_SECURE=settings.is_https,
        SESSION_COOKIE_SAMESITE="Lax",
        MAX_CONTENT_LENGTH=requests.MAX_UPLOAD,
        MAX_FORM_MEMORY_SIZE=requests.MAX_UPLOAD,
        # The token is bound to the visit, not to an hour: an open tab stays good.
        WTF_CSRF_TIME_LIMIT=None,
    )
    requests.init_app(app)
    if settings.trusted_proxies:
        hops = settings.trusted_proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, hops, hops, hops, hops)  # type: ignore[method-assign]
    parts = (render, security, translation, access, assets, filters, state_words, limits, errors)
    for part in parts:
        part.init_app(app)
    for face in (shop, redeem, account, portal, admin, hooks, ops.ops):
        app.register_blueprint(face)
