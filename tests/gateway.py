"""The sandbox as Alipay's gateway, in a process of its own: as the shop and the judge meet it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from app.core import rsa2
from app.providers.payouts.alipay import Alipay
from tests.outside import Process

MERCHANT = "M00000001"


@dataclass
class Gateway:
    """Where it is, and the keys of both sides."""

    url: str
    shop_key: str
    public_key: str
    own_key: str

    @property
    def environment(self) -> dict[str, str]:
        """The settings of a shop that pays through it."""
        return {
            "ALIPAY_URL": f"{self.url}/gateway.do",
            "ALIPAY_APP_ID": MERCHANT,
            "ALIPAY_PRIVATE_KEY": self.shop_key,
            "ALIPAY_PUBLIC_KEY": self.public_key,
        }

    def adapter(self, **options: Any) -> Alipay:
        return Alipay(f"{self.url}/gateway.do", MERCHANT, self.shop_key, self.public_key, **options)

    def faults(self, number: str, **wanted: int) -> None:
        answer = httpx.post(
            f"{self.url}/control/payout-faults",
            json={"number": number, "faults": wanted},
            trust_env=False,
        )
        assert answer.status_code == 200, answer.text

    def paid(self, number: str) -> list[int]:
        said = httpx.get(f"{self.url}/control/payouts", trust_env=False).json()["effects"]
        return [row["amount"] for row in said if row["number"] == number]


@contextmanager
def running(data: Path) -> Iterator[Gateway]:
    """One that has just begun."""
    own, public = rsa2.new_pair()
    shop, shops = rsa2.new_pair()
    environment = {
        "SANDBOX_MERCHANT": MERCHANT,
        "SANDBOX_KEY": "k" * 32,
        "SANDBOX_GATEWAY_KEY": own,
        "SANDBOX_GATEWAY_MERCHANT": shops,
    }
    process = Process("app.sandbox", data, environment)
    process.start()
    yield Gateway(process.url, shop, public, own)
    process.kill()
