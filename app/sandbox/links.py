"""The signed link by which a merchant sends a buyer here: what to pay, to whom, by when."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from app.core.crypto import Secret
from app.outside.urls import is_web
from app.providers.payments import signing

CURRENCIES = ("CNY",)
NUMBER_LIMIT = 64


class BadLink(Exception):
    """The merchant did not sign this link, or it makes no sense."""


@dataclass(frozen=True)
class PayLink:
    """Amount in minor units; `expires_at` in seconds since 1970."""

    merchant: str
    number: str
    amount: int
    currency: str
    subject: str
    expires_at: int
    return_url: str
    notify_url: str
    language: str

    @classmethod
    def read(cls, given: Mapping[str, str], merchant: str, keys: Sequence[Secret]) -> "PayLink":
        """Verify, then read; raises BadLink."""
        signed = {name: value for name, value in given.items() if name != "sign"}
        if not signing.are_genuine(keys, signed, given.get("sign", "")):
            raise BadLink
        try:
            link = cls(
                merchant=signed["merchant"],
                number=signed["number"],
                amount=int(signed["amount"]),
                currency=signed["currency"],
                subject=signed["subject"],
                expires_at=int(signed["expires_at"]),
                return_url=signed["return_url"],
                notify_url=signed["notify_url"],
                language=signed.get("lang", ""),
            )
        except (KeyError, ValueError):
            raise BadLink from None
        if link.merchant != merchant or not link.makes_sense:
            raise BadLink
        return link

    @property
    def makes_sense(self) -> bool:
        return (
            0 < len(self.number) <= NUMBER_LIMIT
            and self.amount > 0
            and self.currency in CURRENCIES
            and is_web(self.return_url)
            and is_web(self.notify_url)
        )

    @property
    def return_origin(self) -> str:
        """Where the buyer goes back to, for the page's Content-Security-Policy."""
        parts = urlsplit(self.return_url)
        return f"{parts.scheme}://{parts.netloc}"
