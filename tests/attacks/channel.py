"""The sandbox channel's voice: what it says to the shop, signed with the key that both have."""

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass

import httpx

from app.core import clock
from app.core.crypto import Secret
from app.providers.payments import signing
from tests.attacks.target import Target
from tests.attacks.visitor import Page

DOOR = "/hooks/payments/sandbox"
Headers = Mapping[str, str]


@dataclass(frozen=True)
class Channel:
    """The channel of a running shop: `merchant` and `key` are its own."""

    wire: httpx.Client
    merchant: str
    key: Secret

    @classmethod
    def of(cls, target: Target) -> "Channel":
        settings = target.settings
        key, *_old = signing.keys_of(settings.sandbox_key)
        wire = httpx.Client(base_url=target.url, trust_env=False, timeout=60)
        return cls(wire, settings.sandbox_merchant, key)

    def paid(self, number: str, amount: int, **values: object) -> dict[str, object]:
        """What it says of a payment that was made; a trade of its own unless one is given."""
        return {
            "merchant": self.merchant,
            "event_id": secrets.token_hex(12),
            "number": number,
            "trade_number": secrets.token_hex(12),
            "state": "paid",
            "amount": amount,
            "currency": "CNY",
            "payer": "play money",
        } | values

    def signed(self, body: bytes) -> Headers:
        return signing.headers(self.key, "POST", DOOR, body, clock.now())

    def say(self, word: Mapping[str, object]) -> bool:
        """Tell the shop, as the channel does; whether the shop says that it has taken it."""
        body = json.dumps(word).encode()
        return self.knock(body, self.signed(body))

    def knock(self, body: bytes, headers: Headers) -> bool:
        """Whoever it is that sends this; whether the shop says that it has taken it."""
        return self.wire.post(DOOR, content=body, headers=headers).text == "success"


def payment_of(page: Page) -> tuple[str, int]:
    """Number and amount of the payment that a channel's page asks for."""
    return page.query["number"], int(page.query["amount"])
