"""What a request has at hand: the account with the merchant, the record and the caller."""

from dataclasses import dataclass
from pathlib import Path

from flask import current_app

from app.core.crypto import Secret
from app.outside.record import Record
from app.simulator.caller import Caller
from app.simulator.record import SCHEMA

SHORTEST_KEY = 32


@dataclass(frozen=True)
class Provider:
    """One merchant's account: known as `merchant`, signing with `key`."""

    merchant: str
    key: Secret
    record: Record
    caller: Caller

    @classmethod
    def open(cls, data: Path, merchant: str, key: Secret) -> "Provider":
        record = Record(data, SCHEMA)
        return cls(merchant, key, record, Caller(record, key))


def here() -> Provider:
    found: Provider = current_app.config["PROVIDER"]
    return found
