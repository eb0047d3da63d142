"""What the drill says: in order, with times, and whether each line of defence held."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from app.core import clock


class Who(StrEnum):
    """Whose line it is: what is played, what the thief does or has, what the shop does."""

    SCENE = "scene"
    THIEF = "thief"
    SHOP = "shop"


@dataclass(frozen=True)
class Line:
    """`seconds` since the drill began; `held` is None where nothing was at stake."""

    seconds: float
    who: Who
    words: str
    held: bool | None = None


Say = Callable[[Line], None]


@dataclass
class Report:
    """The lines as they come, and figures by name."""

    say: Say
    began_at: datetime = field(default_factory=clock.now)
    lines: list[Line] = field(default_factory=list)
    figures: dict[str, int] = field(default_factory=dict)

    def scene(self, words: str) -> None:
        self._add(Who.SCENE, words, None)

    def thief(self, words: str, *, held: bool | None = None) -> None:
        """What the thief did or has; `held`: whether that is all that he may have."""
        self._add(Who.THIEF, words, held)

    def shop(self, words: str, *, held: bool | None = None) -> None:
        """What the shop did; `held`: whether it did what it should."""
        self._add(Who.SHOP, words, held)

    def count(self, **figures: int) -> None:
        self.figures |= figures

    @property
    def got_through(self) -> int:
        """How many lines of defence did not hold."""
        return sum(line.held is False for line in self.lines)

    def end(self) -> None:
        self.count(got_through=self.got_through)
        self.scene(
            f"{self.got_through} of {sum(line.held is not None for line in self.lines)} lines of "
            f"defence did not hold"
            if self.got_through
            else "Nothing got through."
        )

    def _add(self, who: Who, words: str, held: bool | None) -> None:
        seconds = (clock.now() - self.began_at).total_seconds()
        line = Line(seconds, who, words, held)
        self.lines.append(line)
        self.say(line)
