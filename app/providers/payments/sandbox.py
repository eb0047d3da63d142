"""The sandbox channel, seen from the shop: a real protocol over HTTP, with play money.

Its server is `python -m app.sandbox`. The pay page is a signed redirect, as Alipay's and epay's
are, so placing an order waits for nobody; callbacks, queries, closing and refunds are signed JSON.
"""

import json
from typing import Any
from urllib.parse import urlencode

import httpx

from app.core import clock
from app.core.errors import N_
from app.core.tls import TLS
from app.providers.callbacks import Callback, Forged, Malformed, Reply
from app.providers.payments import signing
from app.providers.payments.interface import (
    Charge,
    Closing,
    Notice,
    RefundOrder,
    RefundOutcome,
    RefundResult,
    Standing,
    StandingState,
    Start,
)

TIMEOUT = httpx.Timeout(10, connect=3)
# Shorter than a server keeps an idle connection: none is used at the moment it is closed.
KEEP_IDLE = httpx.Limits(keepalive_expiry=2)
BODY_LIMIT = 64 * 1024
AMOUNT_LIMIT = 10**12

STANDINGS = {
    "paid": StandingState.PAID,
    "unpaid": StandingState.UNPAID,
    "closed": StandingState.CLOSED,
    "not_found": StandingState.NOT_FOUND,
}
CLOSINGS = {"closed": Closing.CLOSED, "paid": Closing.ALREADY_PAID}
REFUNDS = {
    "succeeded": RefundOutcome.SUCCEEDED,
    "pending": RefundOutcome.PENDING,
    "refused": RefundOutcome.REFUSED,
    "not_found": RefundOutcome.NOT_FOUND,
}


class Sandbox:
    """One merchant's account at the sandbox channel."""

    name = "sandbox"
    title = N_("沙箱支付")
    currencies = frozenset({"CNY"})
    is_confirmed_by_staff = False

    def __init__(self, url: str, merchant: str, key: str, timeout: httpx.Timeout = TIMEOUT) -> None:
        """`key` may hold two, new and old, separated by a comma, while it is being changed."""
        self.url = url
        self.merchant = merchant
        self._keys = signing.keys_of(key)
        self._http = httpx.Client(
            base_url=url, timeout=timeout, limits=KEEP_IDLE, trust_env=False, verify=TLS
        )

    def start(self, charge: Charge) -> Start:
        fields = {
            "merchant": self.merchant,
            "number": charge.number,
            "amount": str(charge.amount),
            "currency": charge.currency,
            "subject": charge.subject,
            "expires_at": str(int(charge.expires_at.timestamp())),
            "return_url": charge.return_url,
            "notify_url": charge.notify_url,
            "lang": charge.language,
        }
        fields["sign"] = signing.sign_fields(self._keys[0], fields)
        return Start("redirect", f"{self.url}/pay?{urlencode(fields)}")

    def parse_callback(self, message: Callback) -> Notice:
        if len(message.body) > BODY_LIMIT or not signing.is_genuine(
            self._keys,
            message.method,
            message.path,
            message.headers,
            message.body,
            message.received_at,
        ):
            raise Forged
        try:
            said = json.loads(message.body)
            if said["merchant"] != self.merchant:
                raise Forged
            return Notice(
                event_id=_text(said["event_id"]),
                number=_text(said["number"]),
                trade_number=_text(said["trade_number"]),
                is_paid=said["state"] == "paid",
                amount=_amount(said["amount"]),
                currency=_text(said["currency"]),
                payer=_text(said["payer"]),
            )
        except (ValueError, KeyError, TypeError, RecursionError):
            raise Malformed from None

    def acknowledge(self, accepted: bool) -> Reply:
        return Reply(200 if accepted else 400, "text/plain", "success" if accepted else "fail")

    def query(self, number: str) -> Standing:
        said = self._call("/api/trades/query", {"number": number})
        state = STANDINGS.get(said.get("state", ""), StandingState.UNKNOWN)
        if state is not StandingState.PAID:
            return Standing(state)
        try:
            return Standing(
                state,
                trade_number=_text(said["trade_number"]),
                amount=_amount(said["amount"]),
                currency=_text(said["currency"]),
                payer=_text(said["payer"]),
            )
        except (ValueError, KeyError):
            return Standing(StandingState.UNKNOWN)

    def close(self, number: str) -> Closing:
        said = self._call("/api/trades/close", {"number": number})
        return CLOSINGS.get(said.get("state", ""), Closing.UNKNOWN)

    def refund(self, order: RefundOrder) -> RefundResult:
        return _result(
            self._call(
                "/api/refunds",
                {
                    "number": order.number,
                    "payment_number": order.payment_number,
                    "amount": order.amount,
                    "currency": order.currency,
                    "reason": order.reason,
                },
            )
        )

    def query_refund(self, order: RefundOrder) -> RefundResult:
        return _result(self._call("/api/refunds/query", {"number": order.number}))

    def _call(self, path: str, fields: dict[str, object]) -> dict[str, Any]:
        """A signed call; an empty answer when there was none that can be believed."""
        body = json.dumps({"merchant": self.merchant, **fields}).encode()
        head = signing.headers(self._keys[0], "POST", path, body, clock.now())
        try:
            answer = self._http.post(
                path, content=body, headers=head | {"Content-Type": "application/json"}
            )
        except httpx.HTTPError:
            return {}
        if answer.status_code != 200 or not signing.is_genuine(
            self._keys,
            "RESPONSE",
            head[signing.SIGNATURE],
            answer.headers,
            answer.content,
            clock.now(),
        ):
            return {}
        try:
            said = json.loads(answer.content)
        except (ValueError, RecursionError):
            return {}
        return said if isinstance(said, dict) and isinstance(said.get("state"), str) else {}


def _result(said: dict[str, Any]) -> RefundResult:
    outcome = REFUNDS.get(said.get("state", ""), RefundOutcome.UNKNOWN)
    return RefundResult(outcome, str(said.get("reason", ""))[:200])


def _text(value: object) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= 200 or not value.isprintable():
        raise ValueError("not a short text")
    return value


def _amount(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value <= AMOUNT_LIMIT:
        raise ValueError("not an amount in minor units")
    return value
