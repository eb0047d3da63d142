"""The cookie `sid` and whom it stands for.

A visitor without that cookie costs no query: anonymous pages stay as cheap as they are.
"""

from flask import Flask, Request, Response, current_app, g, request
from flask import session as visit
from flask_login import AnonymousUserMixin, LoginManager

from app.core.crypto import Secret
from app.core.db import transaction
from app.domain.accounts import rules, sessions
from app.domain.accounts.models import Role
from app.domain.accounts.sessions import Origin, SignedIn
from app.web import client


class Guest(AnonymousUserMixin):
    """Nobody we know."""

    role = None
    is_staff = False

    def may(self, _permission: str) -> bool:
        return False

    def is_fresh(self) -> bool:
        return False


def init_app(app: Flask) -> None:
    manager = LoginManager()
    # Sessions are ours, on the server; flask-login only carries `current_user`.
    manager.session_protection = None
    manager.anonymous_user = Guest
    manager.request_loader(load)
    manager.init_app(app)


def load(_request: Request) -> SignedIn | None:
    """Who is signed in; None for a guest, and for staff who still owe their second factor."""
    found = holder()
    return None if found is None or found.owes_second_factor else found


def holder() -> SignedIn | None:
    """Whose session the cookie holds, even if it does not open anything yet."""
    if "holder" not in g:
        secret = request.cookies.get(cookie_name(), "")
        # Nobody, should the database not answer: the page that says so asks again who reads it.
        g.holder = None
        if secret:
            g.holder = _find(secret)
    found: SignedIn | None = g.holder
    return found


def signed_in() -> SignedIn:
    """The one who is signed in, for views whose rule says that somebody is."""
    found = holder()
    if found is None or found.owes_second_factor:
        raise LookupError("nobody is signed in")
    return found


def origin() -> Origin:
    """Where this request comes from, for a session's row and for throttles."""
    address = client.address()
    return Origin(address, client.network(address), request.user_agent.string)


def sign_in(response: Response, secret: Secret, role: Role | None) -> Response:
    """Give the browser its session, and a new visit with it."""
    begin_anew()
    return give(response, secret, role)


def begin_anew() -> None:
    """End the visit: whatever the browser carried as a stranger, a planted token too, is gone.

    Call it before a page is rendered that the grown session shall use: its forms get new tokens.
    """
    visit.clear()


def give(response: Response, secret: Secret, role: Role | None) -> Response:
    """Set the cookie. A buyer's session outlives the browser, a staff member's does not."""
    most = rules.BUYER_LIFETIME.most
    response.set_cookie(
        cookie_name(),
        secret.reveal(),
        max_age=None if role else int(most.total_seconds()),
        secure=_is_https(),
        httponly=True,
        samesite="Lax",
        path="/",
    )
    return response


def sign_out(response: Response) -> Response:
    """Take the session from the browser, and what its pages left there."""
    visit.clear()
    response.delete_cookie(
        cookie_name(), secure=_is_https(), httponly=True, samesite="Lax", path="/"
    )
    response.headers["Clear-Site-Data"] = '"cache", "storage"'
    return response


def cookie_name() -> str:
    """`__Host-` makes the browser refuse it from a sibling domain or without TLS."""
    return "__Host-sid" if _is_https() else "sid"


def _find(secret: str) -> SignedIn | None:
    found = sessions.find(secret)
    if found is not None and sessions.is_due_for_touch(found):
        transaction(lambda: sessions.touch(found))
    return found


def _is_https() -> bool:
    return bool(current_app.config["SETTINGS"].is_https)
