"""Text messages over a gateway: one signed HTTP POST, answered in JSON.

    POST <SMS_URL>
    Shop-Timestamp: 1700000000        seconds, believed for five minutes
    Shop-Nonce: 16 hexadecimal digits
    Shop-Signature: HMAC-SHA256 under SMS_KEY, hexadecimal, over the lines POST, path, timestamp,
                    nonce, and the body
    {"reference": "…", "to": "+8613800138000", "kind": "paid", "text": "…"}

    200 {"state": "sent" | "refused" | "deferred", "reason": "…"}

`reference` is the same when the same message comes again, and such a one must not go out twice.
401, 403, 429 and 503 say that it was not taken; any other answer, and none, is doubt.

How the others fit: Aliyun's and Tencent's services take no text but an approved template and its
parameters, each under its merchant's signature, so they stand behind a gateway of this form that
maps `kind` to a template.
"""

import json
import re
from typing import Any
from urllib.parse import urlsplit

import httpx

from app.core import clock
from app.core.crypto import Secret
from app.core.tls import TLS
from app.providers.messages.interface import Message, Outcome, Result
from app.providers.payments import signing

TIMEOUT = httpx.Timeout(10, connect=3)
NOT_TAKEN = (401, 403, 429, 503)
OUTCOMES = {
    "sent": Outcome.SENT,
    "refused": Outcome.REFUSED,
    "deferred": Outcome.DEFERRED,
}
REASON_LENGTH = 200
# A number in a gateway's words, which often repeat it.
NUMBER = re.compile(r"\+?\d{7,}")


class Sms:
    """One account at one gateway."""

    name = "sms"

    def __init__(self, url: str, key: str, timeout: httpx.Timeout = TIMEOUT) -> None:
        self.url = url
        self._path = urlsplit(url).path or "/"
        self._key = Secret(key)
        self._http = httpx.Client(timeout=timeout, trust_env=False, verify=TLS)

    def send(self, message: Message) -> Result:
        body = json.dumps(
            {
                "reference": message.reference,
                "to": message.to.reveal(),
                "kind": message.kind,
                "text": message.text,
            },
            ensure_ascii=False,
        ).encode()
        try:
            answer = self._http.post(self.url, content=body, headers=self._headers(body))
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            return Result(Outcome.DEFERRED, type(error).__name__)
        except httpx.HTTPError as error:
            return Result(Outcome.UNKNOWN, type(error).__name__)
        if answer.status_code in NOT_TAKEN:
            return Result(Outcome.DEFERRED, f"status {answer.status_code}")
        if answer.status_code != 200:
            return Result(Outcome.UNKNOWN, f"status {answer.status_code}")
        return _read(answer.content)

    def check(self) -> str:
        """Whether anything answers there: a text message that says so would cost money."""
        try:
            self._http.options(self.url)
        except httpx.HTTPError as error:
            return type(error).__name__
        return ""

    def _headers(self, body: bytes) -> dict[str, str]:
        signed = signing.headers(self._key, "POST", self._path, body, clock.now())
        return {
            "Content-Type": "application/json",
            "Shop-Timestamp": signed[signing.TIMESTAMP],
            "Shop-Nonce": signed[signing.NONCE],
            "Shop-Signature": signed[signing.SIGNATURE],
        }


def _read(content: bytes) -> Result:
    try:
        said: Any = json.loads(content)
    except (ValueError, RecursionError):
        said = None
    state = said.get("state") if isinstance(said, dict) else None
    if not isinstance(state, str) or state not in OUTCOMES:
        return Result(Outcome.UNKNOWN, "an answer that makes no sense")
    words = " ".join(str(said.get("reason", "")).split())
    return Result(OUTCOMES[state], NUMBER.sub("***", words)[:REASON_LENGTH])
