"""What every recharge provider can do, in the fewest words that all of them fit.

A provider is one file: it signs, calls, and translates answers into these types. It knows no
database and no HTML, and it never decides: `domain/recharges` does. Its configuration comes from
the console, sealed, as the fields that its `FIELDS` names.

Doubt is never failure. A time-out, a cut connection, a 5xx, an answer that does not parse, a code
that nobody documented, "this number exists already": all are UNKNOWN, and are asked about under
our number until known. REFUSED is only what the provider itself says did not and will not happen;
after it the next provider may be asked. PENDING says that the provider has it and works on it.

How the others fit: 大猿人 signs sorted fields with an upper-case MD5 and answers `errno`; 卡商网
signs names and values without separators; Reloadly has a token and `customIdentifier` as the
number. Each has a submit, a query by our number, a callback or none, and a balance.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import Protocol

from app.core.crypto import Secret
from app.providers.callbacks import Callback, Reply


@dataclass(frozen=True)
class Wanted:
    """Recharge `account` with `quantity` of `sku`. `number` is ours, unique, and the provider's
    idempotency key: letters and digits, at most 32. `cost_limit` is the most that all of it may
    cost, in minor units. `notify_url` has no query."""

    number: str
    sku: str
    account: Secret
    quantity: int
    cost_limit: int
    notify_url: str


class Outcome(Enum):
    """What the provider says about a number. NOT_FOUND is an answer to `query` only."""

    DELIVERED = auto()
    PENDING = auto()
    REFUSED = auto()
    NOT_FOUND = auto()
    UNKNOWN = auto()


@dataclass(frozen=True)
class Exchange:
    """One call as it is kept in the log: masked, bounded, without keys, signatures or accounts.

    `status` is HTTP's, 0 when there was no answer. `milliseconds` is how long it took.
    """

    what: str
    request: str
    response: str
    status: int
    milliseconds: int


@dataclass(frozen=True)
class Result:
    """`reference` is the provider's own number. `reason` is the provider's, for staff. `cost` is
    what it says all of it cost, in minor units, when it says so. `serial` proves the delivery to
    the account's operator, when there is such a thing."""

    outcome: Outcome
    reference: str = ""
    reason: str = ""
    cost: int | None = None
    serial: str = ""
    exchange: Exchange | None = None


@dataclass(frozen=True)
class Notice:
    """A genuine callback about one of our numbers, as far as one may believe it."""

    number: str
    result: Result


@dataclass(frozen=True)
class Balance:
    """What is left of our deposit, in minor units; None when the provider did not say."""

    amount: int | None
    exchange: Exchange | None = None


@dataclass(frozen=True)
class Item:
    """One thing that the provider sells: its number there, its name, its cost in minor units."""

    sku: str
    name: str
    cost: int
    is_available: bool = True


@dataclass(frozen=True)
class Catalogue:
    """What the provider sells; None when it did not say."""

    items: tuple[Item, ...] | None
    exchange: Exchange | None = None


@dataclass(frozen=True)
class Field:
    """One field of an adapter's configuration, as the console asks for it.

    `label` and `hint` are marked sentences. A secret field is never shown again.
    """

    name: str
    label: str
    hint: str = ""
    is_secret: bool = False
    is_required: bool = True
    is_long: bool = False
    default: str = ""
    choices: tuple[str, ...] = ()


class BadConfiguration(Exception):
    """A field of the configuration makes no sense: `field` names it, `message` is marked."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field
        self.message = message


@dataclass(frozen=True)
class Configuration:
    """What an adapter is made from. `values` are the fields of its FIELDS; secrets among them."""

    values: Mapping[str, str] = field(repr=False)
    # Only tests and the simulator may be reached on a private address.
    allow_private: bool = False
    timeout: float = 10.0

    def secret(self, name: str) -> Secret:
        return Secret(self.values.get(name, ""))


class Provider(Protocol):
    """One account at one provider. Every method may be called again with the same number."""

    # Whether the provider documents that a number is executed once: what it does not find may
    # then be sent again, under the same number.
    takes_number_once: bool
    # "Not found" is believed so long after sending, and no earlier.
    not_found_is_final_after: timedelta

    def submit(self, wanted: Wanted) -> Result:
        """Ask for it. Never NOT_FOUND."""
        ...

    def query(self, number: str, sent_at: datetime) -> Result:
        """What became of our number."""
        ...

    def parse_callback(self, message: Callback) -> Notice:
        """Verify, then read. Raises Forged or Malformed."""
        ...

    def acknowledge(self, accepted: bool) -> Reply:
        """What to answer: accepted, or send it again."""
        ...

    def balance(self) -> Balance: ...

    def catalogue(self) -> Catalogue: ...
