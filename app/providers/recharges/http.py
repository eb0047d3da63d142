"""Any supplier that takes signed requests over HTTP and answers JSON, as its merchant set it up.

What the setup does not name is doubt: a code or a state that stands in none of its lists is asked
about. Answers are believed because of TLS, callbacks because of their signature.
"""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from urllib.parse import urlencode

from app.core import clock
from app.core.money import yuan
from app.providers.callbacks import Callback, Forged, Malformed, Reply
from app.providers.recharges import answers
from app.providers.recharges.answers import Unreadable
from app.providers.recharges.calls import Asked, Heard, call
from app.providers.recharges.exchanges import Legible, Mask, callback_exchange
from app.providers.recharges.http_messages import Message
from app.providers.recharges.http_setup import IS_WHOLE, Paths, Setup
from app.providers.recharges.interface import (
    Balance,
    Catalogue,
    Configuration,
    Exchange,
    Notice,
    Outcome,
    Result,
    Wanted,
)
from app.providers.safe_http import Request

BODY_LIMIT = 64 * 1024
NUMBER_LENGTH = 64
# For callbacks whose time is signed.
WINDOW = timedelta(minutes=5)
# Values of ours that tell nobody anything.
OPEN_VALUES = frozenset(
    ("number", "sku", "quantity", "notify_url", "timestamp", "merchant", "nonce", "cost_limit")
)


class Unsendable(Exception):
    """A value does not fit where the setup puts it; nothing was sent."""


class Http:
    """One merchant's account at a supplier of her own."""

    def __init__(self, configuration: Configuration) -> None:
        """Raises BadConfiguration."""
        self._configuration = configuration
        self._setup = Setup.read(configuration)
        self.takes_number_once = self._setup.takes_number_once
        self.not_found_is_final_after = self._setup.not_found_after

    def submit(self, wanted: Wanted) -> Result:
        setup = self._setup
        if wanted.quantity != 1 and "quantity" not in setup.submit.names:
            return _unsent("the setup names no {quantity}")
        mask = Mask([setup.key], wanted.account)
        values = {
            "number": wanted.number,
            "sku": wanted.sku,
            "account": wanted.account.reveal(),
            "quantity": str(wanted.quantity),
            "notify_url": wanted.notify_url,
            "cost_limit": self._cost_limit(wanted.cost_limit),
        }
        try:
            heard = self._call("submit", setup.submit, values, mask)
        except Unsendable:
            return _unsent("a field that must be a number is none")
        code = answers.text_at(heard.said, setup.code)
        if code in setup.refused_codes:
            return self._result(Outcome.REFUSED, heard, mask)
        if heard.said is None or not self._is_ok(heard):
            return self._result(Outcome.UNKNOWN, heard, mask)
        told = answers.text_at(heard.said, setup.paths.number)
        if told is not None and told != wanted.number:
            return self._result(Outcome.UNKNOWN, heard, mask)
        if setup.code and answers.at(heard.said, setup.paths.state) is None:
            # Taken, and nothing that tells how it stands: asking will.
            return self._result(Outcome.PENDING, heard, mask)
        outcome = self._outcome(heard)
        # Just sent and not known: whichever of the two is right, it is doubt.
        is_doubt = outcome is Outcome.NOT_FOUND
        return self._result(Outcome.UNKNOWN if is_doubt else outcome, heard, mask)

    def query(self, number: str, sent_at: datetime) -> Result:
        setup, mask = self._setup, Mask([self._setup.key])
        heard = self._call("query", setup.query, {"number": number}, mask)
        if answers.text_at(heard.said, setup.code) in setup.not_found_codes:
            return self._result(Outcome.NOT_FOUND, heard, mask)
        # Any other code refuses the question, not the order.
        if heard.said is None or not self._is_ok(heard):
            return self._result(Outcome.UNKNOWN, heard, mask)
        outcome = self._outcome(heard)
        told = answers.text_at(heard.said, setup.paths.number)
        if setup.paths.number and told != number and outcome is not Outcome.NOT_FOUND:
            return self._result(Outcome.UNKNOWN, heard, mask)
        return self._result(outcome, heard, mask)

    def parse_callback(self, message: Callback) -> Notice:
        setup, paths = self._setup, self._setup.callback.paths
        fields = _fields_of(message, setup.callback.format)
        self._verify(message, fields)
        number = answers.text_at(fields, paths.number) or ""
        state = answers.text_at(fields, paths.state)
        if state is None or not 0 < len(number) <= NUMBER_LENGTH or not number.isprintable():
            raise Malformed
        outcome = setup.states.get(state, Outcome.UNKNOWN)
        if outcome is Outcome.NOT_FOUND:
            outcome = Outcome.UNKNOWN
        mask = Mask([setup.key])
        kept = callback_exchange(message, fields, _legible(paths, setup.callback.time), mask)
        return Notice(number, _read(outcome, fields, paths, setup.cost_unit, mask, kept))

    def acknowledge(self, accepted: bool) -> Reply:
        if accepted:
            return Reply(200, "text/plain", self._setup.callback.answer)
        return Reply(400, "text/plain", "fail")

    def balance(self) -> Balance:
        setup = self._setup
        if setup.balance is None:
            return Balance(None)
        heard = self._call("balance", setup.balance, {}, Mask([setup.key]))
        text = answers.text_at(heard.said, setup.balance_path) if self._is_ok(heard) else None
        return Balance(answers.minor(text, setup.balance_unit), heard.exchange)

    def catalogue(self) -> Catalogue:
        """Suppliers' lists differ too much to be set up; numbers are typed into the offers."""
        return Catalogue(None)

    def _call(self, what: str, message: Message, values: Mapping[str, str], mask: Mask) -> Heard:
        """Raises Unsendable."""
        setup = self._setup
        known = setup.common(clock.now()) | dict(values)
        fields = {line.name: line.content.fill(known) for line in message.lines}
        headers: dict[str, str] = {}
        signed = dict(fields)
        if setup.signer is not None:
            signature = setup.signer.sign(setup.base.text(fields, setup.key))
            if setup.sign_header:
                headers[setup.sign_header] = signature
            else:
                signed[setup.sign_field] = signature
        request = _request(message, message.url_for(known), signed, headers)
        legible = _legible(setup.paths, setup.code, setup.balance_path, message=message)
        asked = Asked(what, request, signed)
        return call(asked, self._configuration, answers.parse, legible, mask)

    def _cost_limit(self, amount: int) -> str:
        return str(amount) if self._setup.cost_unit == "fen" else yuan(amount).replace(",", "")

    def _is_ok(self, heard: Heard) -> bool:
        """Whether the request was answered at all; without a code the state says everything."""
        code = self._setup.code
        return not code or answers.text_at(heard.said, code) in self._setup.ok_codes

    def _outcome(self, heard: Heard) -> Outcome:
        state = answers.text_at(heard.said, self._setup.paths.state)
        return self._setup.states.get(state or "", Outcome.UNKNOWN)

    def _result(self, outcome: Outcome, heard: Heard, mask: Mask) -> Result:
        setup = self._setup
        if heard.said is None:
            return Result(outcome, reason=heard.doubt, exchange=heard.exchange)
        return _read(outcome, heard.said, setup.paths, setup.cost_unit, mask, heard.exchange)

    def _verify(self, message: Callback, fields: Mapping[str, object]) -> None:
        """Raises Forged for what the supplier did not sign, or not lately."""
        setup = self._setup
        if setup.signer is None:
            raise Forged
        texts = {name: _signed_text(value) for name, value in fields.items()}
        if setup.sign_header:
            headers = {name.lower(): value for name, value in message.headers.items()}
            signature = headers.get(setup.sign_header.lower(), "")
        else:
            signature = texts.get(setup.sign_field, "")
        if not setup.signer.is_genuine(setup.base.text(texts, setup.key), signature):
            raise Forged
        if setup.callback.time and not _is_recent(
            answers.text_at(fields, setup.callback.time) or "", message.received_at
        ):
            raise Forged


def make(configuration: Configuration) -> Http:
    """Raises BadConfiguration."""
    return Http(configuration)


def _unsent(why: str) -> Result:
    """Certain, because nothing has left the house."""
    return Result(Outcome.REFUSED, reason=f"nothing was sent: {why}")


def _read(
    outcome: Outcome, said: object, paths: Paths, unit: str, mask: Mask, exchange: Exchange
) -> Result:
    message = answers.text_at(said, paths.message) or ""
    return Result(
        outcome,
        reference=answers.words_at(said, paths.reference),
        reason=answers.tidy(mask.words(message)),
        cost=answers.cost(answers.text_at(said, paths.cost), unit),
        serial=answers.words_at(said, paths.serial),
        exchange=exchange,
    )


def _request(
    message: Message, url: str, fields: Mapping[str, str], headers: dict[str, str]
) -> Request:
    if message.method == "get":
        joint = "&" if "?" in url else "?"
        return Request("GET", f"{url}{joint}{urlencode(fields)}" if fields else url, headers)
    if message.method == "form":
        kind = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
        return Request("POST", url, kind | headers, urlencode(fields).encode())
    numbers = {line.name for line in message.lines if line.is_number}
    body = {name: _whole(value) if name in numbers else value for name, value in fields.items()}
    kind = {"Content-Type": "application/json; charset=utf-8"}
    return Request("POST", url, kind | headers, json.dumps(body, ensure_ascii=False).encode())


def _whole(text: str) -> int:
    if not IS_WHOLE.fullmatch(text):
        raise Unsendable
    return int(text)


def _legible(paths: Paths, *more: str, message: Message | None = None) -> Legible:
    """What we read of an answer, and what we sent that is no secret."""
    values = [paths.number, paths.state, paths.reference, paths.cost, paths.serial, *more]
    lines = message.lines if message else ()
    names = {line.name for line in lines if _is_open(line.content.parts)}
    accounts = {line.name for line in lines if "account" in line.content.names}
    return Legible(
        values=frozenset(names.union(*map(_leaves, values))),
        words=frozenset(_leaves(paths.message)),
        accounts=frozenset(accounts),
    )


def _is_open(parts: tuple[tuple[str, str], ...]) -> bool:
    """Whether it has our values only; words that the merchant typed may be a password."""
    return all(not plain and name in OPEN_VALUES for plain, name in parts)


def _leaves(path: str) -> set[str]:
    """The names in which the paths end: `data.0.state|state` ends in state."""
    ends = ([name for name in one.split(".") if not name.isdigit()] for one in path.split("|"))
    return {names[-1] for names in ends if names and names[-1]}


def _fields_of(message: Callback, format_: str) -> Mapping[str, object]:
    """The callback's fields; raises Forged for what cannot have been signed in one sense only."""
    if len(message.body) > BODY_LIMIT:
        raise Forged
    try:
        if format_ == "query":
            return answers.once(message.query)
        if format_ == "form":
            return answers.once(answers.form(message.body))
        said = answers.parse(message.body) if format_ == "json" else None
    except Unreadable:
        raise Forged from None
    if not isinstance(said, Mapping):
        raise Forged
    return said


def _signed_text(value: object) -> str:
    """A value as it stands in the signed text; raises Forged for one whose text is not settled."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return ""
    if not isinstance(value, str):
        raise Forged
    return value


def _is_recent(text: str, received_at: datetime) -> bool:
    """Whether a timestamp in seconds or milliseconds is of these minutes."""
    if not (text.isascii() and text.isdigit() and len(text) in (10, 13)):
        return False
    seconds = int(text[:10])
    return abs(received_at.timestamp() - seconds) <= WINDOW.total_seconds()
