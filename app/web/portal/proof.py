"""Before a change that money follows: whoever is at the phone proves it is she."""

from flask import request

from app.core.crypto import Secret
from app.core.db import session
from app.domain.accounts import signing_in
from app.web import visitor

# Fields of a form that are never given back to the page.
SECRETS = ("current", "totp")


def prove() -> None:
    """The password, or a code of the second factor, again; raises Refusal."""
    password = Secret(request.form.get("current", ""))
    code = request.form.get("totp", "").strip()[:20]
    session.rollback()
    signing_in.prove_again(visitor.signed_in(), password, code)


def typed_without_secrets() -> dict[str, str]:
    """What the form may be shown with again."""
    return {name: text for name, text in request.form.items() if name not in SECRETS}
