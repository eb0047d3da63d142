"""Whoever types codes that do not exist waits longer and longer; a slip costs nothing.

This is the checkpoint `redeem`: the one call through which every typed code goes, whichever face it
comes from.
"""

from dataclasses import dataclass

from app.core.db import transaction
from app.domain.accounts import throttling
from app.domain.redemptions import service
from app.domain.redemptions.answers import Unusable
from app.domain.vault import alarms, own_codes
from app.domain.vault.alarms import Touch


@dataclass(frozen=True)
class Guesser:
    """Whom a typed code is counted against: network, device and, if signed in, account."""

    network: str
    device: str
    person_id: int | None


def read(text: str, guesser: Guesser) -> int:
    """The code that was typed; raises TooSoon before looking, Unusable for none of ours.

    Opens its own units: a try is counted before it is judged, so that a hundred at once count.
    """
    guards = throttling.of_redeeming(guesser.network, guesser.device, guesser.person_id)
    transaction(lambda: throttling.take(guards))
    try:
        code_id = transaction(lambda: service.read(text))
    except Unusable as no:
        if no.answer.slug == "code-malformed" and own_codes.has_our_shape(text):
            # A slip in one of ours: its check symbols say so, and teach a guesser nothing.
            transaction(lambda: throttling.succeeded(guards))
        watch(text, Touch("typed", guesser.network))
        raise
    transaction(lambda: throttling.succeeded(guards))
    return code_id


def watch(text: str, touch: Touch) -> None:
    """Raise the alarm if what was typed and is none of ours is a canary; in a unit of its own,
    because the caller's comes to nothing."""
    transaction(lambda: alarms.notice_typed(text, touch))
