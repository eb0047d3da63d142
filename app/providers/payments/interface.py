"""What every payment channel can do, in the fewest words that all of them fit.

A channel is one file: it signs, calls, and translates answers into these types. It knows no
database and no HTML, and it never decides: orders/settling.py does. How the others fit:

- Alipay: `start` signs a redirect to `alipay.trade.page.pay`, or `wap.pay` when `is_phone`, with
  `time_expire` from `expires_at`. The callback is a form POST: RSA2 over its decoded fields without
  `sign` and `sign_type`; `app_id` and `seller_id` must be ours; TRADE_SUCCESS and TRADE_FINISHED
  are paid unless `refund_fee` says that it tells of a refund; `event_id` is `notify_id`; answered
  with `success`. `query` of a trade nobody signed in to yet is ACQ.TRADE_NOT_EXIST: NOT_FOUND.
  `close` of such a trade closes nothing at Alipay, so it is CLOSED only after `time_expire`, and
  UNKNOWN before. `refund` sends our number as `out_request_no`.
- WeChat Pay v3: `start` calls `/transactions/native` (a QR code) or, when `is_phone`, `/h5` (a
  redirect; it wants `client_ip`); called again with the same number it gives the same trade. The
  callback is JSON: `Wechatpay-Signature` over two headers and the raw body, by the key that
  `Wechatpay-Serial` names among those we know; then the resource is opened with AES-GCM and
  `mchid` and `appid` must be ours. `acknowledge(False)` is a 4xx with `{"code": "FAIL"}`, because
  a FAIL with status 200 is not sent again. Trade state REFUND is a PAID standing: it was paid.
- epay: `start` signs a redirect to `submit.php`. The callback is a GET whose `query` is signed with
  MD5 over all fields that are not empty; `pid` must be ours and `trade_status` TRADE_SUCCESS, or
  it is no payment; the key appears in no error, although `api.php` wants it in the query. epay
  cannot close a trade, so `close` asks `api.php?act=order`: paid is ALREADY_PAID, anything else
  UNKNOWN until a while after the deadline, then CLOSED; what comes still is late money.

Doubt is never failure: a time-out, a 5xx, an answer that does not parse or verify is UNKNOWN.
An adapter without its keys is not made at all: an empty key would verify everybody's signature.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto
from typing import Literal, Protocol

from app.providers.callbacks import Callback, Reply


@dataclass(frozen=True)
class Charge:
    """What is to be paid. `number` is ours, unique, and the channel's idempotency key; amounts in
    minor units of `currency`. Whatever happens, nobody should be able to pay after `expires_at`.
    `notify_url` has no query: some channels refuse one."""

    number: str
    amount: int
    currency: str
    subject: str
    expires_at: datetime
    return_url: str
    notify_url: str
    client_ip: str
    language: str = "zh"
    # Some channels have another way to pay on the phone that shows the page.
    is_phone: bool = False
    # The merchant's own bank account, in her words: for a channel that is not a company.
    pay_into: str = ""


@dataclass(frozen=True)
class Start:
    """How the buyer pays: go to `url`, scan `url` as a QR code, or pay into what `text` says."""

    kind: Literal["redirect", "qr", "instructions"]
    url: str = ""
    text: str = ""


class UnknownChannel(Exception):
    """No such channel is configured here."""


@dataclass(frozen=True)
class Notice:
    """A genuine message of ours: signed, and for our account at the channel.

    `event_id` is the same when the same message comes again. `is_paid` is False for whatever else
    channels tell of (an open trade, a refund): it is acknowledged and changes nothing.
    """

    event_id: str
    number: str
    trade_number: str
    is_paid: bool
    amount: int
    currency: str
    payer: str = ""


class StandingState(Enum):
    """Where a trade stands at the channel. PAID stays PAID when some of it was sent back."""

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
    """`reason` is the channel's, for staff, when it REFUSED."""

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

    def start(self, charge: Charge) -> Start:
        """How to pay. Called outside any transaction, because some channels must be asked."""
        ...

    def parse_callback(self, message: Callback) -> Notice:
        """Verify, then read. Raises Forged or Malformed."""
        ...

    def acknowledge(self, accepted: bool) -> Reply:
        """What to answer: accepted, or send it again."""
        ...

    def query(self, number: str) -> Standing: ...

    def close(self, number: str) -> Closing:
        """Take no money for this number any more, even if the channel never saw it."""
        ...

    def refund(self, order: RefundOrder) -> RefundResult:
        """Send money back once under this number; REFUSED moved nothing and may be sent again."""
        ...

    def query_refund(self, order: RefundOrder) -> RefundResult: ...
