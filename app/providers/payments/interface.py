"""What every payment channel can do, in the fewest words that all of them fit.

A channel is one file: it signs, calls, and translates answers into these types. It knows no
database and no HTML, and it never decides: orders/settling.py does. How the others fit:

- Alipay: `start` signs a redirect to `alipay.trade.page.pay` or `wap.pay`; the callback is a form
  POST verified with RSA2, answered with `success`; `query`, `close` and `refund` are signed calls
  (`out_request_no` is the refund's number).
- WeChat Pay v3: `start` calls `/transactions/native` or `/h5` and answers with a QR text or a
  redirect; the callback is JSON with a signature over headers and raw body, its resource opened
  with AES-GCM; a refused callback is answered 4xx with `{"code": "FAIL"}`.
- epay: `start` signs a redirect to `submit.php`; the callback is a GET signed with MD5, answered with
  `success`; it cannot close a trade, so `close` answers UNKNOWN until the deadline it was given.

Doubt is never failure: a time-out, a 5xx, an answer that does not parse or verify is UNKNOWN.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum, auto
from typing import Literal, Protocol


@dataclass(frozen=True)
class Charge:
    """What is to be paid. `number` is ours, unique, and the channel's idempotency key; amounts in
    minor units of `currency`. Whatever happens, nobody should be able to pay after `expires_at`."""

    number: str
    amount: int
    currency: str
    subject: str
    expires_at: datetime
    return_url: str
    notify_url: str
    client_ip: str
    language: str = "zh"
    # The merchant's own bank account, in her words: for a channel that is not a company.
    pay_into: str = ""


@dataclass(frozen=True)
class Start:
    """How the buyer pays: go to `url`, scan `url` as a QR code, or pay into what `text` says."""

    kind: Literal["redirect", "qr", "instructions"]
    url: str = ""
    text: str = ""


@dataclass(frozen=True)
class Callback:
    """A channel's message exactly as it came: verified over the raw body, before any parsing."""

    method: str
    path: str
    query: Sequence[tuple[str, str]]
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    received_at: datetime


class Forged(Exception):
    """The message is not from the channel, or is too old to be believed."""


class Malformed(Exception):
    """The message is from the channel, and still makes no sense."""


class UnknownChannel(Exception):
    """No such channel is configured here."""


@dataclass(frozen=True)
class Notice:
    """A genuine message. `event_id` is the same when the same message comes again."""

    event_id: str
    number: str
    trade_number: str
    is_paid: bool
    amount: int
    currency: str
    payer: str = ""


@dataclass(frozen=True)
class Reply:
    """What the channel wants to hear, to the letter."""

    status: int
    content_type: str
    body: str


class StandingState(Enum):
    """Where a trade stands at the channel."""

    PAID = auto()
    UNPAID = auto()
    CLOSED = auto()
    NOT_FOUND = auto()
    UNKNOWN = auto()


@dataclass(frozen=True)
class Standing:
    """The channel's answer to "what became of this number"; amounts only when PAID."""

    state: StandingState
    trade_number: str = ""
    amount: int = 0
    currency: str = ""
    payer: str = ""


class Closing(Enum):
    """The channel's answer to "take no money for this number any more"."""

    CLOSED = auto()
    ALREADY_PAID = auto()
    UNKNOWN = auto()


@dataclass(frozen=True)
class RefundOrder:
    """Send this much back. `number` is ours and the channel's idempotency key."""

    number: str
    payment_number: str
    trade_number: str
    amount: int
    paid_amount: int
    currency: str
    reason: str


class RefundOutcome(Enum):
    """The channel's answer about a refund. PENDING and UNKNOWN are asked about again."""

    SUCCEEDED = auto()
    PENDING = auto()
    REFUSED = auto()
    NOT_FOUND = auto()
    UNKNOWN = auto()


@dataclass(frozen=True)
class RefundResult:
    outcome: RefundOutcome
    reason: str = ""


class Channel(Protocol):
    """One payment channel. Every method may be called again with the same number, harmlessly."""

    name: str
    # A marked sentence: what the buyer chooses.
    title: str
    currencies: frozenset[str]
    # Whether the channel has servers of its own, or a member of staff confirms.
    is_confirmed_by_staff: bool

    def start(self, charge: Charge) -> Start: ...

    def parse_callback(self, message: Callback) -> Notice:
        """Verify, then read. Raises Forged or Malformed."""
        ...

    def acknowledge(self, accepted: bool) -> Reply: ...

    def query(self, number: str) -> Standing: ...

    def close(self, number: str) -> Closing: ...

    def refund(self, order: RefundOrder) -> RefundResult: ...

    def query_refund(self, order: RefundOrder) -> RefundResult: ...
