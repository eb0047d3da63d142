"""Who may open what: each view carries a rule, one hook enforces it, and no rule means no."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, TypeVar
from urllib.parse import urlsplit

import structlog
from flask import Flask, Response, abort, current_app, make_response, redirect, request, url_for
from flask_login import current_user
from flask_wtf.csrf import CSRFProtect

from app.core.actors import act_as
from app.domain.accounts.rules import PERMISSIONS
from app.web import visitor
from app.web.requests import MAX_DOCUMENT, MAX_FORM

log = structlog.get_logger()
csrf = CSRFProtect()

View = TypeVar("View", bound=Callable[..., Any])

SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}
RULE = "access_rule"


class Who(Enum):
    """Whom a view is for."""

    ANYBODY = auto()
    CHANNEL = auto()
    SIGNED_IN = auto()
    STAFF = auto()


@dataclass(frozen=True)
class Rule:
    """For whom a view is, and what a member of staff needs besides. `most_bytes` is the largest
    body that it takes from anybody else."""

    who: Who
    permission: str = ""
    step_up: bool = False
    most_bytes: int = MAX_FORM


class StepUpNeeded(Exception):
    """A dangerous act wants proof of who is at the keyboard; `then` is where to go on after it."""

    def __init__(self, then: str) -> None:
        super().__init__("step-up needed")
        self.then = then


def public(view: View) -> View:
    """For everybody."""
    return _mark(view, Rule(Who.ANYBODY))


def callback(view: View) -> View:
    """For machines that prove themselves by a signature in the message: no token, no cookie."""
    return _mark(view, Rule(Who.CHANNEL))


def signed_in(view: View) -> View:
    """For anybody with an account, of what is their own."""
    return _mark(view, Rule(Who.SIGNED_IN))


def signed_in_with_document(view: View) -> View:
    """Like `signed_in`, and the form has a document in it."""
    return _mark(view, Rule(Who.SIGNED_IN, most_bytes=MAX_DOCUMENT))


def staff(permission: str, *, step_up: bool = False) -> Callable[[View], View]:
    """For staff whose role has the permission; with `step_up`, who proved themselves just now."""
    if permission not in PERMISSIONS:
        raise LookupError(f"no such permission: {permission}")
    rule = Rule(Who.STAFF, permission, step_up)
    return lambda view: _mark(view, rule)


def rule_of(view: Callable[..., Any]) -> Rule | None:
    """The rule a view was marked with."""
    rule: Rule | None = getattr(view, RULE, None)
    return rule


def init_app(app: Flask) -> None:
    # The hook below asks for the token itself, after it has decided who may come in: nobody's
    # upload is read before that.
    app.config["WTF_CSRF_CHECK_DEFAULT"] = False
    csrf.init_app(app)
    visitor.init_app(app)
    app.before_request(enforce)
    app.register_error_handler(StepUpNeeded, lambda needed: _to_step_up(needed.then))


def enforce() -> Response | None:
    """Run before every view; an answer means that the view is not for this visitor."""
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(request_id=secrets.token_hex(8))
    act_as("guest")
    if request.endpoint is None or request.endpoint == "static":
        return None
    rule = rule_of(current_app.view_functions[request.endpoint])
    if rule is None:
        log.error("access.no_rule", endpoint=request.endpoint)
        abort(403)
    if rule.who is Who.CHANNEL:
        return None
    if current_user.is_authenticated:
        act_as(f"person:{current_user.id}")
    refuse_foreign_pages()
    refusal = _check(rule)
    if refusal is None:
        if not current_user.is_staff:
            request.max_content_length = rule.most_bytes
        csrf.protect()
    return refusal


def refuse_foreign_pages() -> None:
    """Refuse a change that another site's page asks for, whatever token it has got hold of."""
    site = request.headers.get("Sec-Fetch-Site", "none")
    if request.method not in SAFE_METHODS and site not in ("same-origin", "none"):
        log.warning("access.foreign_page", endpoint=request.endpoint)
        abort(403)


def require_step_up(then: str) -> None:
    """Within a view: go on only if this person proved themselves in the last minutes."""
    if not current_user.is_fresh():
        raise StepUpNeeded(then)


def require(permission: str) -> None:
    """Within a view: go on only with the permission."""
    if not current_user.may(permission):
        abort(403)


def safe_next(target: str, default: str = "/") -> str:
    """`target` if it is a path on this site, else `default`: a link must lead nobody elsewhere."""
    odd = any(ord(symbol) <= 32 or ord(symbol) == 127 or symbol == "\\" for symbol in target)
    if odd or not target.startswith("/") or target.startswith("//"):
        return default
    return target


def _mark(view: View, rule: Rule) -> View:
    setattr(view, RULE, rule)
    return view


def _check(rule: Rule) -> Response | None:
    if rule.who is Who.SIGNED_IN and not current_user.is_authenticated:
        return go(url_for("account.sessions.new", next=_here()))
    if rule.who is Who.STAFF:
        return _check_staff(rule)
    return None


def _check_staff(rule: Rule) -> Response | None:
    # A buyer is nobody here, and so is whoever still owes the second factor.
    if not current_user.is_staff:
        return go(url_for("admin.sign_in.show", next=_here()))
    require(rule.permission)
    if rule.step_up and not current_user.is_fresh():
        return _to_step_up(_here())
    return None


def _to_step_up(then: str) -> Response:
    return go(url_for("admin.step_up.show", next=then))


def go(url: str) -> Response:
    """Lead the whole page to `url`, also when only a part of it was asked for."""
    if request.headers.get("HX-Request") == "true":
        response = make_response("", 401)
        response.headers["HX-Redirect"] = url
        return response
    return redirect(url, 303)  # type: ignore[return-value]


def _here() -> str:
    """Where to come back to: this page, or the page whose form was sent."""
    if request.method in SAFE_METHODS and "HX-Request" not in request.headers:
        return safe_next(request.full_path.removesuffix("?"), "")
    try:
        came_from = urlsplit(request.headers.get("HX-Current-URL") or request.referrer or "")
    except ValueError:
        # Whatever it is, it is no address: the header comes from outside.
        return ""
    if came_from.netloc != request.host:
        return ""
    return safe_next(came_from.path + (f"?{came_from.query}" if came_from.query else ""), "")
