"""Whoever types codes that do not exist waits longer and longer; a slip costs nothing.

This is the checkpoint `redeem`: the one call through which every typed code goes, whichever face it
comes from.
"""

from dataclasses import dataclass

from app.core.db import transaction
from app.domain.accounts import throttling
from app.domain.redemptions import service
from app.domain.redemptions.answers import Unusable
from app.domain.vault import own_codes


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
        raise
    transaction(lambda: throttling.succeeded(guards))
    return code_id
