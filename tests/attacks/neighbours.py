"""People at the attacker's own addresses: behind one of a phone company are thousands."""

import contextlib
from collections.abc import Callable, Iterator, Sequence

from tests.attacks.crowd import Crowd
from tests.attacks.outcome import Neighbours, control
from tests.attacks.target import Target
from tests.attacks.visitor import Visitor

# What somebody does in this browser, as which one of them; what troubled her.
Life = Callable[[Visitor, int], str]


class Neighbourhood:
    """Regulars have bought and paid at `addresses` before the attack, each in a browser that she
    keeps; newcomers come for the first time, each in a browser of her own."""

    def __init__(self, target: Target, addresses: Sequence[str], path: str) -> None:
        self.target = target
        self.addresses = addresses
        self.regulars = [Visitor(target.url, address) for address in addresses]
        self._crowds: list[Crowd] = []
        for regular in self.regulars:
            trouble = target.buy_as(regular, path)
            control(not trouble, f"somebody could buy there before ({trouble})")

    @contextlib.contextmanager
    def living(self, live: Life, least: int) -> Iterator[None]:
        """Let both kinds do what they came for until the block ends, `least` of each."""
        regulars = Crowd(lambda number: live(self._regular(number), number), least)
        newcomers = Crowd(lambda number: live(self._newcomer(number), number), least)
        self._crowds = [regulars, newcomers]
        with regulars, newcomers:
            yield

    @property
    def met(self) -> Neighbours:
        regulars, newcomers = self._crowds
        control(newcomers.troubles, "what stops the attacker stops newcomers at its addresses")
        return Neighbours(regulars.met, newcomers.met)

    def _regular(self, number: int) -> Visitor:
        return self.regulars[number % len(self.regulars)]

    def _newcomer(self, number: int) -> Visitor:
        return Visitor(self.target.url, self.addresses[number % len(self.addresses)])
