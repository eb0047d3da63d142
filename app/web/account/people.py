"""A new buyer's account: a contact and a password, nothing else."""

from flask import Blueprint, Response, redirect, request, url_for
from flask_login import current_user

from app.core.crypto import Secret
from app.core.db import transaction
from app.core.errors import Refusal
from app.domain.accounts import passwords, rules, service, sessions
from app.domain.accounts.contacts import Contact
from app.domain.risk import arriving
from app.domain.risk.models import Checkpoint
from app.domain.risk.stopping import Stopped
from app.domain.risk.visits import Visit
from app.web import captcha, limits, translation, visitor
from app.web.access import public, safe_next
from app.web.account import entering
from app.web.captcha import Captcha
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
    password, visit = request.form.get("password", ""), captcha.visit()
    try:
        contact = Contact.parse(typed)
        rules.check_password(password, contact.value, contact.value.removeprefix("+86"))
        secret = _register(contact, Secret(password), visit)
    except Refusal as refusal:
        if isinstance(refusal, Stopped):
            entering.keep(refusal)
        asked = entering.to_prove(refusal, Checkpoint.REGISTER, visit)
        return _page(typed, {refusal.field: words(refusal)}, refusal.status, asked)
    response: Response = redirect(_next(), 303)  # type: ignore[assignment]
    return visitor.sign_in(response, secret, None)


def _register(contact: Contact, password: Secret, visit: Visit) -> Secret:
    """Make the account and sign it in; the session's secret. Raises Refusal, Stopped."""
    password_hash = passwords.hash(password)
    origin, language = visitor.origin(), translation.language()

    def register() -> Secret:
        arriving.register(visit, contact)
        person = service.register(contact, password_hash, language=language)
        arriving.registered(visit, contact, person.id)
        return sessions.begin(person, origin)

    return transaction(register)


def _next() -> str:
    return safe_next(request.values.get("next", ""), url_for("account.profile.show"))


def _page(
    contact: str = "",
    errors: dict[str, str] | None = None,
    status: int = 200,
    to_prove: Captcha | None = None,
) -> Response:
    return render(
        "account/registration.html",
        status=status,
        contact=contact,
        errors=errors or {},
        least=rules.PASSWORD_LEAST,
        next=_next(),
        to_prove=to_prove,
    )
