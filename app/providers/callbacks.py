"""A message that comes from outside by itself, and what its sender wants to hear.

Payment channels and recharge providers call back alike: the web hands the message over as it came,
the adapter verifies and reads it, and says how to acknowledge it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True)
class Callback:
    """A message exactly as it came: verified over the raw body, before any parsing."""

    method: str
    path: str
    query: Sequence[tuple[str, str]]
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    received_at: datetime


class Forged(Exception):
    """The message is not from whom it says, or is too old to be believed."""


class Malformed(Exception):
    """The message is from its sender, and still makes no sense."""


@dataclass(frozen=True)
class Reply:
    """What the sender wants to hear, to the letter."""

    status: int
    content_type: str
    body: str
