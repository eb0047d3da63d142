"""What a request of the channel has at hand: its account with the merchant, record and caller."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from flask import current_app

from app.core.crypto import Secret
from app.outside.record import Record
from app.sandbox.caller import Caller
from app.sandbox.record import SCHEMA


@dataclass(frozen=True)
class Channel:
    """One merchant's channel. The first key signs; a message signed with either is genuine."""

    merchant: str
    keys: Sequence[Secret]
    record: Record
    caller: Caller

    @classmethod
    def open(cls, data: Path, merchant: str, keys: Sequence[Secret]) -> "Channel":
        record = Record(data, SCHEMA)
        return cls(merchant, keys, record, Caller(record, merchant, keys))


def here() -> Channel:
    found: Channel = current_app.config["CHANNEL"]
    return found
