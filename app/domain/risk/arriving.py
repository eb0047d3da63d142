"""Risk is asked when somebody makes an account, signs in, or is in and wants to see what is hers.

A decision that stops somebody is kept by whoever shows it (`stopping.Stopped`); one that lets her
go is kept here when there was anything to judge. Nothing that is said here tells whether an account
is there.
"""

from app.core.db import require_transaction
from app.core.errors import N_
from app.domain.accounts.contacts import Contact
from app.domain.risk import engine, events, restrictions, stopping
from app.domain.risk.engine import Decided, Situation
from app.domain.risk.models import Action, Checkpoint, EventKind, Key, Restriction
from app.domain.risk.visits import Visit

LATER = N_("现在不能继续，请 %(minutes)s 分钟后再试。如果弄错了，请把编号 %(number)s 告诉店主")
NOT_AT_ALL = N_("现在不能继续。如果弄错了，请把编号 %(number)s 告诉店主")
SENTENCES = {
    Checkpoint.REGISTER: {
        Action.CAPTCHA: N_("请先完成下面的验证，并重新填写密码"),
        Action.BLOCK: LATER,
    },
    Checkpoint.SIGN_IN: {
        Action.CAPTCHA: N_("请先完成下面的验证，并重新填写密码"),
        Action.BLOCK: LATER,
    },
    Checkpoint.REVEAL: {Action.BLOCK: LATER},
}


def register(visit: Visit, contact: Contact) -> Decided:
    """Ask before an account is made; raises Stopped. `registered` says that it was made."""
    return _ask(Checkpoint.REGISTER, visit, {Key.CONTACT: contact.index.hex()}, contact.domain)


def registered(visit: Visit, contact: Contact, person_id: int) -> None:
    """The account was made: count it."""
    whose = visit.known_as() | {Key.CONTACT: contact.index.hex(), Key.ACCOUNT: str(person_id)}
    events.record(EventKind.REGISTERED, events.hashed(whose))


def sign_in(visit: Visit, contact: Contact) -> Decided:
    """Ask before a password is looked at; raises Stopped."""
    return _ask(Checkpoint.SIGN_IN, visit, {Key.CONTACT: contact.index.hex()}, contact.domain)


def wrong_password(visit: Visit, contact: Contact) -> None:
    """Somebody tried to come in and could not: count it."""
    whose = visit.known_as() | {Key.CONTACT: contact.index.hex()}
    events.record(EventKind.WRONG_PASSWORD, events.hashed(whose))


def reveal(visit: Visit, person_id: int) -> Decided:
    """Ask before somebody who is signed in is shown her codes; raises Stopped. Counts it.

    Whoever comes by an order's secret link is not asked: she has no account that could be stolen.
    """
    decided = _ask(Checkpoint.REVEAL, visit, {Key.ACCOUNT: str(person_id)})
    whose = visit.known_as() | {Key.ACCOUNT: str(person_id)}
    events.record(EventKind.REVEALED, events.hashed(whose))
    return decided


def frozen(person_id: int) -> Restriction | None:
    """What keeps an account from everything now. Only to be told to whose it is."""
    whose = events.hashed({Key.ACCOUNT: str(person_id)})
    return restrictions.frozen(Key.ACCOUNT, whose[Key.ACCOUNT])


def _ask(
    checkpoint: Checkpoint, visit: Visit, more: dict[Key, str], email_domain: str = ""
) -> Decided:
    require_transaction()
    decided = engine.decide(
        Situation(
            checkpoint,
            events.hashed(visit.known_as() | more),
            visit=visit,
            email_domain=email_domain,
        )
    )
    if not decided.lets_go:
        raise stopping.refusal(decided, SENTENCES[checkpoint], NOT_AT_ALL)
    if decided.row.trials:
        engine.keep(decided)
    return decided
