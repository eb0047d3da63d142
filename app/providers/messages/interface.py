"""What every way of sending a message can do, in the fewest words that all of them fit.

A sender is one file: it speaks a protocol and translates answers into these types. It knows no
database and writes no sentence of its own, and it never decides: domain/messages does.

Doubt is never failure. A connection that was cut after the message was handed over, a time-out, an
answer that does not parse: all are UNKNOWN, and such a message is not sent again. DEFERRED is only
what certainly did not go out, so that it may be tried later.
"""

from dataclasses import dataclass
from enum import Enum, auto
from typing import Protocol

from app.core.crypto import Secret


@dataclass(frozen=True)
class Message:
    """One message to one contact. `reference` is ours and unique: whoever can, keeps a second one
    with the same reference from going out. `html` is empty where plain text is all there is."""

    reference: str
    kind: str
    to: Secret
    to_masked: str
    subject: str
    text: str
    html: str = ""


class Outcome(Enum):
    """SENT: the next one on its way has it. REFUSED: it never will. DEFERRED: it has not gone out
    and may be tried again. UNKNOWN: it may have gone out."""

    SENT = auto()
    REFUSED = auto()
    DEFERRED = auto()
    UNKNOWN = auto()


@dataclass(frozen=True)
class Result:
    """`reason` is for staff and never quotes the contact, which servers like to repeat."""

    outcome: Outcome
    reason: str = ""


class Sender(Protocol):
    """One way to one kind of contact."""

    name: str

    def send(self, message: Message) -> Result:
        """Hand it over, once. Called outside any transaction; raises nothing for what the outside
        world does."""
        ...

    def check(self) -> str:
        """What is wrong with it now, for the operator; empty when it answers."""
        ...
