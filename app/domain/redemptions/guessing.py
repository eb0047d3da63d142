"""Whoever types codes that do not exist waits longer and longer; a slip costs nothing.

This is the checkpoint `redeem`: the one call through which every typed code goes, whichever face it
comes from. Risk is asked here: after some wrong codes a captcha, after many a lock.
"""

from dataclasses import dataclass

from app.core.db import transaction
from app.core.errors import N_
from app.domain.accounts import throttling
from app.domain.redemptions import queries, service
from app.domain.redemptions.answers import Unusable
from app.domain.risk import engine, events, stopping
from app.domain.risk.engine import Decided, Situation
from app.domain.risk.models import Action, Checkpoint, EventKind, Key
from app.domain.risk.visits import Visit
from app.domain.vault import alarms, own_codes
from app.domain.vault.alarms import Touch

SENTENCES = {
    Action.CAPTCHA: N_("请先完成下面的验证，再继续兑换"),
    Action.BLOCK: N_(
        "输错的次数太多，请 %(minutes)s 分钟后再试。如果弄错了，请把编号 %(number)s 告诉店主"
    ),
}
NOT_AT_ALL = N_("暂时不能兑换。如果弄错了，请把编号 %(number)s 告诉店主")


@dataclass(frozen=True)
class _Try:
    """A try that is let go. Until it proves right it counts, and is a wrong code."""

    guards: list[throttling.Guard]
    wrong: int

    def take_back(self) -> None:
        throttling.succeeded(self.guards)
        events.take_back(self.wrong)


def read(text: str, visit: Visit, person_id: int | None = None) -> int:
    """The code that was typed; raises TooSoon and Stopped before looking, Unusable for none of
    ours.

    Opens its own units, and keeps what was decided itself: a try is counted before it is judged,
    so that a hundred at once count.
    """
    decided, tried = transaction(lambda: _ask(text, visit, person_id))
    if tried is None:
        raise stopping.refusal(decided, SENTENCES, NOT_AT_ALL)
    try:
        code_id = transaction(lambda: service.read(text))
    except Unusable as no:
        if no.answer.slug == "code-malformed" and own_codes.has_our_shape(text):
            # A slip in one of ours: its check symbols say so, and teach a guesser nothing.
            transaction(tried.take_back)
        watch(text, Touch("typed", visit.network))
        raise
    transaction(tried.take_back)
    return code_id


def watch(text: str, touch: Touch) -> None:
    """Raise the alarm if what was typed and is none of ours is a canary; in a unit of its own,
    because the caller's comes to nothing."""
    transaction(lambda: alarms.notice_typed(text, touch))


def _ask(text: str, visit: Visit, person_id: int | None) -> tuple[Decided, _Try | None]:
    """What risk says, and the try unless it is stopped. Who has to wait is told so after that: a
    captcha that she solved is still hers then, since nothing of this unit stays."""
    known = {Key.ACCOUNT: str(person_id or ""), Key.CODE: queries.frozen_as(text)}
    whose = events.hashed(visit.known_as() | known)
    decided = engine.decide(
        Situation(
            Checkpoint.REDEEM,
            whose,
            facts={
                "wrong_codes_everywhere": lambda: throttling.counted(throttling.EVERYONE_REDEEMING)
            },
            visit=visit,
        )
    )
    if not decided.lets_go:
        # Nothing is looked for, so nothing was guessed, and what she waited for is still hers.
        engine.keep(decided)
        return decided, None
    network = None if decided.regular else visit.network
    guards = throttling.of_redeeming(network, visit.device, person_id)
    throttling.take(guards)
    if decided.row.trials:
        engine.keep(decided)
    events.record(EventKind.TYPED, whose)
    return decided, _Try(guards, events.record(EventKind.WRONG_CODE, whose))
