"""A merchant's side of both protocols, in the same words: what the tests ask and what they hear."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Protocol
from urllib.parse import parse_qsl

import httpx

from app.core import clock
from app.core.crypto import Secret
from app.core.money import fen
from app.simulator import signing
from app.simulator.fulu_messages import TIME, ZONE

MERCHANT, KEY = "M00000001", "k" * 32 + "0123456789"
SKU = "10000101"
# Where a merchant is called back, by protocol.
PLAIN_HOOK, FULU_HOOK = "/plain-hook", "/fulu-hook"


@dataclass(frozen=True)
class Heard:
    """`what` is a state, a refusal's code, or how the call failed: silence, cut, 500, 503,
    nonsense. `cost` in minor units."""

    what: str
    number: str = ""
    reference: str = ""
    cost: int = 0
    serial: str = ""


class Tongue(Protocol):
    """One protocol, spoken as a careful merchant would."""

    def order(
        self, number: str, account: str, sku: str = SKU, quantity: int = 1, timeout: float = 20
    ) -> Heard: ...

    def query(self, number: str, timeout: float = 20) -> Heard: ...

    def balance(self) -> int: ...


@dataclass
class Plain:
    http: httpx.Client
    url: str
    door: str

    def order(
        self, number: str, account: str, sku: str = SKU, quantity: int = 1, timeout: float = 20
    ) -> Heard:
        fields = {"number": number, "account": account, "sku": sku, "quantity": str(quantity)}
        fields["notify_url"] = f"{self.door}{PLAIN_HOOK}"
        return self._heard(number, "POST", "/plain/orders", fields, timeout)

    def query(self, number: str, timeout: float = 20) -> Heard:
        return self._heard(number, "GET", "/plain/orders", {"number": number}, timeout)

    def balance(self) -> int:
        return fen(self.call("GET", "/plain/balance", {}).json()["balance"])

    def signed(self, fields: Mapping[str, str]) -> dict[str, str]:
        """With merchant, timestamp and signature, where the fields do not say otherwise."""
        whole = {"merchant": MERCHANT, "timestamp": str(int(clock.now().timestamp())), **fields}
        return {"sign": signing.plain(Secret(KEY), whole), **whole}

    def call(
        self, method: str, path: str, fields: Mapping[str, str], timeout: float = 20
    ) -> httpx.Response:
        signed = self.signed(fields)
        sent = {"data": signed} if method == "POST" else {"params": signed}
        return self.http.request(method, f"{self.url}{path}", timeout=timeout, **sent)  # type: ignore[arg-type]

    def _heard(
        self, number: str, method: str, path: str, fields: Mapping[str, str], timeout: float
    ) -> Heard:
        try:
            answer = self.call(method, path, fields, timeout)
        except httpx.HTTPError as error:
            return _failed(error)
        if answer.status_code != 200:
            return Heard(str(answer.status_code))
        try:
            said = json.loads(answer.content)
        except ValueError:
            return Heard("nonsense")
        return _plain_standing(number, said) if said["code"] == "ok" else Heard(said["code"])


def _plain_standing(number: str, said: Mapping[str, str]) -> Heard:
    cost = fen(said["cost"]) if said["cost"] else 0
    return Heard(said["state"], number, said["reference"], cost, said["serial"])


FULU_STATES = {"success": "delivered", "processing": "processing", "failed": "failed"}
FULU_CODES = {
    2003: "no_balance",
    3000: "no_such_sku",
    4000: "bad_request",
    4004: "bad_account",
    4010: "duplicate",
    4011: "not_found",
}


@dataclass
class Fulu:
    http: httpx.Client
    url: str

    def order(
        self, number: str, account: str, sku: str = SKU, quantity: int = 1, timeout: float = 20
    ) -> Heard:
        asking = {"product_id": int(sku), "customer_order_no": number, "charge_account": account}
        return self._heard("fulu.order.direct.add", asking | {"buy_num": quantity}, timeout)

    def query(self, number: str, timeout: float = 20) -> Heard:
        return self._heard("fulu.order.info.get", {"customer_order_no": number}, timeout)

    def balance(self) -> int:
        return round(self.result("fulu.user.info.get", {})["balance"] * 100)

    def envelope(self, method: str, asking: Mapping[str, object]) -> dict[str, object]:
        return {
            "app_key": MERCHANT,
            "method": method,
            "timestamp": f"{clock.now().astimezone(ZONE):{TIME}}",
            "version": "2.0",
            "format": "json",
            "charset": "utf-8",
            "sign_type": "md5",
            "app_auth_token": "",
            "biz_content": json.dumps(asking, ensure_ascii=False),
        }

    def send(self, envelope: Mapping[str, object], timeout: float = 20) -> httpx.Response:
        """The envelope, signed if it is not."""
        sign = signing.fulu(signing.fulu_secret(Secret(KEY)), envelope)
        signed = {"sign": sign, **envelope}
        return self.http.post(f"{self.url}/fulu/api/getway", json=signed, timeout=timeout)

    def result(self, method: str, asking: Mapping[str, object]) -> dict[str, float]:
        """What a method gives back when all is well."""
        answer = self.send(self.envelope(method, asking)).json()
        assert answer["code"] == 0, answer
        found: dict[str, float] = json.loads(answer["result"])
        return found

    def _heard(self, method: str, asking: Mapping[str, object], timeout: float) -> Heard:
        try:
            answer = self.send(self.envelope(method, asking), timeout)
        except httpx.HTTPError as error:
            return _failed(error)
        if answer.status_code != 200:
            return Heard(str(answer.status_code))
        try:
            said = json.loads(answer.content)
        except ValueError:
            return Heard("nonsense")
        if said["code"]:
            return Heard(FULU_CODES[said["code"]])
        order = json.loads(said["result"])
        return Heard(
            FULU_STATES[order["order_state"]],
            order["customer_order_no"],
            order["order_id"],
            round(order["order_price"] * 100 * order["buy_num"]),
            order["operator_serial_number"],
        )


def _failed(error: httpx.HTTPError) -> Heard:
    return Heard("silence" if isinstance(error, httpx.TimeoutException) else "cut")


def read_plain(form: Mapping[str, str]) -> Heard | None:
    """What a callback says; None when it is forged."""
    is_genuine = form["sign"] == signing.plain(Secret(KEY), form)
    return _plain_standing(form["number"], form) if is_genuine else None


def read_fulu(form: Mapping[str, str]) -> Heard | None:
    """What a callback says; None when it is forged."""
    if form["sign"] != signing.fulu(signing.fulu_secret(Secret(KEY)), form):
        return None
    return Heard(
        FULU_STATES[form["order_status"]],
        form["customer_order_no"],
        form["order_id"],
        round(Decimal(form["price"]) * 100 * int(form["buy_num"])),
        form["operator_serial_number"],
    )


READERS = {PLAIN_HOOK: read_plain, FULU_HOOK: read_fulu}


def form_of(body: bytes) -> dict[str, str]:
    """The fields of a posted form, empty ones too."""
    return dict(parse_qsl(body.decode(), keep_blank_values=True))


def beijing(text: str) -> datetime:
    """A moment as Fulu writes it."""
    return datetime.strptime(text, TIME).replace(tzinfo=ZONE)
