"""From lines to sealed codes, without a database: a little at a time, while others are stored."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from app.core.crypto import DataKey, Tampered
from app.core.errors import N_
from app.domain.vault import reading, storing
from app.domain.vault.reading import Format
from app.domain.vault.storing import NewCode, SealedCode

SAME_CHUNK = N_("与第 %(line)s 行重复")

# So many codes at a time: they take about as long as the database takes for as many.
PIECE = 500

# A line's number, why it was not taken (a marked sentence) and what fills that sentence.
Reason = tuple[int, str, dict[str, Any]]


@dataclass
class Lines:
    """What was read of some lines. `numbers` are the line numbers of `codes`."""

    line_count: int
    codes: list[NewCode] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    faulty: list[Reason] = field(default_factory=list)
    doubles: list[Reason] = field(default_factory=list)


@dataclass(frozen=True)
class Step:
    """What one transaction takes in: the codes of `lines`, sealed, in the same order."""

    position: int
    lines: Lines
    sealed: list[SealedCode]


@dataclass(frozen=True)
class SealedLines:
    """A chunk as it waits, with all that is needed to read it."""

    sealed: bytes
    bound_to: bytes
    key: DataKey
    first_line: int
    line_count: int
    format: Format
    case_sensitive: bool

    def read(self) -> Iterator[Lines]:
        """Its lines, each code once: the same object again and again while it grows.

        Raises Tampered.
        """
        lines = Lines(self.line_count)
        seen: dict[bytes, int] = {}
        text = self.key.open(self.sealed, self.bound_to)
        found = reading.read(text, self.first_line, self.format)
        while some := list(islice(found, PIECE)):
            for line in some:
                self._take(line, lines, seen)
            yield lines
        yield lines

    def _take(self, line: reading.Line, lines: Lines, seen: dict[bytes, int]) -> None:
        if line.content is None:
            lines.faulty.append((line.number, line.message or "", line.params))
            return
        code = storing.new_code(line.content, case_sensitive=self.case_sensitive)
        first = seen.setdefault(code.lookup, line.number)
        if first == line.number:
            lines.codes.append(code)
            lines.numbers.append(line.number)
        else:
            lines.doubles.append((line.number, SAME_CHUNK, {"line": first}))


class Preparation:
    """A step in the making. `growing` gives its lines as SealedLines.read() does.

    The database takes as long to store a step as Python to prepare one. Between two writes to it
    a little of the next step is prepared, so both work all the time; with a thread for each they
    would wait for the interpreter's lock, for a third of the time.
    """

    def __init__(
        self, position: int, growing: Iterator[Lines], key: DataKey, batch_uid: bytes
    ) -> None:
        self.position = position
        self._growing = growing
        self._key, self._batch_uid = key, batch_uid
        self._lines = Lines(0)
        self._sealed: list[SealedCode] = []
        self._error: Tampered | None = None

    def advance(self) -> bool:
        """Prepare a little more; False at the end. What goes wrong is for `finish` to raise."""
        try:
            lines = next(self._growing, None)
        except Tampered as error:
            # Raised here it would undo the step before, which is being stored.
            self._error = error
            return False
        if lines is None:
            return False
        self._lines = lines
        fresh = lines.codes[len(self._sealed) :]
        self._sealed += storing.seal_with(self._key, self._batch_uid, fresh)
        return True

    def finish(self) -> Step:
        """Prepare the rest; raises Tampered."""
        while self.advance():
            pass
        if self._error:
            raise self._error
        return Step(self.position, self._lines, self._sealed)
