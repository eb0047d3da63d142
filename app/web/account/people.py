"""A new buyer's account: a contact and a password, nothing else."""

from flask import Blueprint, Response, redirect, request, url_for
from flask_login import current_user

from app.core.crypto import Secret
from app.core.db import transaction
from app.core.errors import Refusal
from app.domain.accounts import passwords, rules, service, sessions
from app.domain.accounts.contacts import Contact
from app.web import limits, translation, visitor
from app.web.access import public, safe_next
from app.web.errors import words
from app.web.render import render

routes = Blueprint("people", __name__)


@routes.get("/account/registration")
@public
def new() -> Response:
    if current_user.is_authenticated:
        return redirect(_next(), 303)  # type: ignore[return-value]
    return _page()


@routes.post("/account/registration")
@public
@limits.per_address("registration")
def create() -> Response:
    typed = request.form.get("contact", "").strip()[:200]
    password = request.form.get("password", "")
    try:
        contact = Contact.parse(typed)
        rules.check_password(password, contact.value, contact.value.removeprefix("+86"))
        secret = _register(contact, Secret(password))
    except Refusal as refusal:
        return _page(typed, {refusal.field: words(refusal)}, refusal.status)
    response: Response = redirect(_next(), 303)  # type: ignore[assignment]
    return visitor.sign_in(response, secret, None)


def _register(contact: Contact, password: Secret) -> Secret:
    """Make the account and sign it in; the session's secret. Raises Refusal."""
    password_hash = passwords.hash(password)
    origin, language = visitor.origin(), translation.language()

    def register() -> Secret:
        person = service.register(contact, password_hash, language=language)
        return sessions.begin(person, origin)

    return transaction(register)


def _next() -> str:
    return safe_next(request.values.get("next", ""), url_for("account.profile.show"))


def _page(contact: str = "", errors: dict[str, str] | None = None, status: int = 200) -> Response:
    return render(
        "account/registration.html",
        status=status,
        contact=contact,
        errors=errors or {},
        least=rules.PASSWORD_LEAST,
        next=_next(),
    )
