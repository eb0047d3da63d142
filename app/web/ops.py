"""What machines ask: is the process alive, is the shop ready."""

from flask import Blueprint, Response, abort, current_app, jsonify
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from app.core import keys
from app.core.db import session
from app.core.migrations import is_at_head
from app.web.access import public
from app.web.render import render

ops = Blueprint("ops", __name__)


@ops.get("/healthz")
@public
def show_health() -> Response:
    """The process answers."""
    return jsonify(status="ok")


@ops.get("/readyz")
@public
def show_readiness() -> Response:
    """The database answers and is migrated, and its keys open. A lost queue only delays."""
    checks = {"database": _database_answers(), "migrated": False, "keys": False}
    if checks["database"]:
        checks["migrated"] = is_at_head()
        checks["keys"] = checks["migrated"] and _keys_open()
    response = jsonify(status="ready" if all(checks.values()) else "not ready", checks=checks)
    response.status_code = 200 if all(checks.values()) else 503
    return response


@ops.get("/styleguide")
@public
def show_styleguide() -> Response:
    """Every component on one page; not in production."""
    if current_app.config["SETTINGS"].is_production:
        abort(404)
    return render("styleguide.html")


def _database_answers() -> bool:
    try:
        session.execute(text("SELECT 1"))
    except SQLAlchemyError:
        session.rollback()
        return False
    return True


def _keys_open() -> bool:
    try:
        keys.index("readiness", "")
    except keys.KeysMissing:
        return False
    return True
