"""The doors: risk is asked before an account is made, and before a password is looked at.

Who is frozen can still sign in, to read why and until when; everything else asks risk by itself.
"""

from app.core.db import session, transaction
from app.core.errors import Refusal
from app.domain.accounts import signing_in
from app.domain.accounts.signing_in import Attempt, Opened
from app.domain.accounts.throttling import TooSoon
from app.domain.risk import arriving, engine
from app.domain.risk.models import Checkpoint
from app.domain.risk.stopping import CaptchaNeeded, Stopped
from app.domain.risk.visits import Visit
from app.web import captcha
from app.web.captcha import Captcha


def sign_in(attempt: Attempt, visit: Visit) -> Opened:
    """Begin a session; raises Refusal, TooSoon, Stopped."""
    try:
        transaction(lambda: arriving.sign_in(visit, attempt.contact))
    except Stopped as stopped:
        keep(stopped)
        raise
    try:
        return signing_in.sign_in(attempt)
    except TooSoon:
        # Nothing was tried.
        raise
    except Refusal:
        transaction(lambda: arriving.wrong_password(visit, attempt.contact))
        raise


def keep(stopped: Stopped) -> None:
    """Why somebody was stopped outlasts the unit that she was stopped in."""
    session.rollback()
    transaction(lambda: engine.keep(stopped.decided))


def to_prove(refusal: Refusal, purpose: Checkpoint, visit: Visit) -> Captcha | None:
    """The captcha that the form has to show again, if any."""
    if isinstance(refusal, CaptchaNeeded) or visit.proof is not None:
        return captcha.ask(purpose, visit.device)
    return None
