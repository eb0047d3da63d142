"""What every way of paying a distributor can do, in the fewest words that all of them fit.

A provider is one file: it signs, calls, writes files, and translates answers into these types. It
knows no database and no HTML, and it never decides: domain/payouts does.

Doubt is never failure: a time-out, a 5xx, an answer that does not parse or verify is UNKNOWN. Only
what the channel itself calls a refusal, and calls so definitely, is REFUSED.
"""

from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Protocol

from app.core.crypto import Secret
from app.providers.callbacks import Callback, Reply

BANK_CARD, ALIPAY_ACCOUNT, COMPANY = "bank_card", "alipay", "company"


@dataclass(frozen=True)
class Payee:
    """Whose account it goes to; `kind` is bank_card, alipay or company."""

    kind: str
    holder: Secret
    account: Secret
    bank: str = ""
    branch: str = ""


@dataclass(frozen=True)
class Transfer:
    """Pay `amount`, in minor units. `number` is ours and the channel's idempotency key."""

    number: str
    amount: int
    currency: str
    payee: Payee = field(repr=False)
    subject: str = ""


class Outcome(Enum):
    """What a channel says about a number. PENDING, AWAITING_PAYEE, NOT_FOUND and UNKNOWN are asked
    about again. REFUSED moved nothing; RETURNED was sent, and the money has come back."""

    PAID = auto()
    PENDING = auto()
    AWAITING_PAYEE = auto()
    REFUSED = auto()
    RETURNED = auto()
    NOT_FOUND = auto()
    UNKNOWN = auto()


@dataclass(frozen=True)
class Result:
    """`reference` is the channel's number for it, `reason` its words when it did not pay."""

    outcome: Outcome
    reference: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Notice:
    """A genuine message about one of our numbers."""

    number: str
    result: Result


class UnknownProvider(Exception):
    """No such way of paying is configured here."""


class Provider(Protocol):
    """One way of paying. Every method may be called again with the same number, harmlessly."""

    name: str
    # A marked sentence: what staff choose.
    title: str
    # Kinds of payees it can pay.
    kinds: frozenset[str]
    # Whether it pays and says so, or staff pay and say so.
    pays_by_itself: bool
    # Whether a batch is a file for the bank.
    has_file: bool
    # What the money leaves from, in the books.
    ledger_account: str

    def submit(self, transfer: Transfer) -> Result:
        """Pay. Called outside any transaction."""
        ...

    def query(self, number: str) -> Result: ...

    def parse_callback(self, message: Callback) -> Notice:
        """Verify, then read. Raises Forged or Malformed."""
        ...

    def acknowledge(self, accepted: bool) -> Reply:
        """What to answer: accepted, or send it again."""
        ...
