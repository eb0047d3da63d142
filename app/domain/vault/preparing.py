"""From lines to sealed codes, without a database: a thread does it while another step is stored."""

from dataclasses import dataclass, field
from typing import Any

from app.core.crypto import DataKey
from app.core.errors import N_
from app.domain.vault import reading, storing
from app.domain.vault.reading import Format
from app.domain.vault.storing import NewCode, SealedCode

SAME_CHUNK = N_("与第 %(line)s 行重复")

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

    def read(self) -> Lines:
        """Its lines, each code once; raises Tampered."""
        lines = Lines(self.line_count)
        seen: dict[bytes, int] = {}
        text = self.key.open(self.sealed, self.bound_to)
        for line in reading.read(text, self.first_line, self.format):
            if line.content is None:
                lines.faulty.append((line.number, line.message or "", line.params))
                continue
            code = storing.new_code(line.content, case_sensitive=self.case_sensitive)
            first = seen.setdefault(code.lookup, line.number)
            if first == line.number:
                lines.codes.append(code)
                lines.numbers.append(line.number)
            else:
                lines.doubles.append((line.number, SAME_CHUNK, {"line": first}))
        return lines


def prepare(position: int, lines: Lines, key: DataKey, batch_uid: bytes) -> Step:
    """Seal what was read or made."""
    return Step(position, lines, storing.seal_with(key, batch_uid, lines.codes))
