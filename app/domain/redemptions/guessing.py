"""Whoever types codes that do not exist waits longer and longer; a slip costs nothing.

This is the checkpoint `redeem`: the one call through which every typed code goes, whichever face it
comes from. Risk is asked here: after some wrong codes a captcha, after many a lock.
"""

from dataclasses import dataclass, field
from math import ceil

from app.core import clock
from app.core.db import transaction
from app.core.errors import N_, Refusal
from app.domain.accounts import throttling
from app.domain.redemptions import queries, service
from app.domain.redemptions.answers import Unusable
from app.domain.risk import engine, events
from app.domain.risk.engine import Decided, Situation
from app.domain.risk.models import Action, Checkpoint, EventKind, Key
from app.domain.risk.proofs import Proof
from app.domain.vault import alarms, own_codes
from app.domain.vault.alarms import Touch


@dataclass(frozen=True)
class Guesser:
    """Whom a typed code is counted against: network, device and, if signed in, account.

    `address` is what risk counts besides; `proof` the captcha that the form brought.
    """

    network: str
    device: str
    person_id: int | None
    address: str = ""
    proof: Proof | None = field(default=None, repr=False)


class CaptchaNeeded(Refusal):
    """The code is looked for as soon as a captcha is solved."""


class Locked(Refusal):
    """Too many codes that do not exist; says for how long."""

    status = 429


def read(text: str, guesser: Guesser) -> int:
    """The code that was typed; raises TooSoon, CaptchaNeeded and Locked before looking, Unusable
    for none of ours.

    Opens its own units: a try is counted before it is judged, so that a hundred at once count.
    """
    guards = throttling.of_redeeming(guesser.network, guesser.device, guesser.person_id)
    decided, wrong = transaction(lambda: _ask(text, guesser, guards))
    if not decided.lets_go:
        raise _stopped(decided)
    try:
        code_id = transaction(lambda: service.read(text))
    except Unusable as no:
        if no.answer.slug == "code-malformed" and own_codes.has_our_shape(text):
            # A slip in one of ours: its check symbols say so, and teach a guesser nothing.
            transaction(lambda: _take_back(guards, wrong))
        watch(text, Touch("typed", guesser.network))
        raise
    transaction(lambda: _take_back(guards, wrong))
    return code_id


def watch(text: str, touch: Touch) -> None:
    """Raise the alarm if what was typed and is none of ours is a canary; in a unit of its own,
    because the caller's comes to nothing."""
    transaction(lambda: alarms.notice_typed(text, touch))


def _ask(text: str, guesser: Guesser, guards: list[throttling.Guard]) -> tuple[Decided, int | None]:
    """What risk says, and the wrong code that this try is counted as until it proves right."""
    throttling.take(guards)
    from_address = events.from_address(guesser.address, guesser.network) if guesser.address else {}
    whose = events.hashed(
        {
            **from_address,
            Key.DEVICE: guesser.device,
            Key.ACCOUNT: str(guesser.person_id or ""),
            Key.CODE: queries.frozen_as(text),
        }
    )
    decided = engine.decide(
        Situation(
            Checkpoint.REDEEM,
            whose,
            facts={
                "wrong_codes_everywhere": lambda: throttling.counted(throttling.EVERYONE_REDEEMING)
            },
            address=guesser.address,
            proof=guesser.proof,
            browser=guesser.device,
        )
    )
    if not decided.lets_go or decided.row.trials:
        engine.keep(decided)
    if decided.lets_go:
        events.record(EventKind.TYPED, whose)
        return decided, events.record(EventKind.WRONG_CODE, whose)
    # Nothing was looked for, so nothing was guessed.
    throttling.succeeded(guards)
    return decided, None


def _take_back(guards: list[throttling.Guard], wrong: int | None) -> None:
    throttling.succeeded(guards)
    if wrong is not None:
        events.take_back(wrong)


def _stopped(decided: Decided) -> Refusal:
    if decided.action == Action.CAPTCHA:
        return CaptchaNeeded(N_("请先完成下面的验证，再继续兑换"), field="captcha")
    if decided.until is None or decided.action == Action.FREEZE:
        return Locked(
            N_("暂时不能兑换。如果弄错了，请把编号 %(number)s 告诉店主"), number=decided.row.uid
        )
    minutes = max(ceil((decided.until - clock.now()).total_seconds() / 60), 1)
    return Locked(
        N_("输错的次数太多，请 %(minutes)s 分钟后再试。如果弄错了，请把编号 %(number)s 告诉店主"),
        minutes=minutes,
        number=decided.row.uid,
    )
