"""A supplier's setup, read from the console's fields and checked before it is kept.

A setup that could make the shop guess is refused here: two meanings for one code, a request without
our number, callbacks that nobody signs.
"""

import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from app.core.crypto import Secret
from app.core.errors import N_
from app.providers import safe_http
from app.providers.recharges import signing
from app.providers.recharges.http_fields import FIELDS
from app.providers.recharges.http_messages import (
    ASKING,
    COMMON,
    ORDERING,
    Line,
    Message,
    Template,
)
from app.providers.recharges.interface import BadConfiguration, Configuration, Outcome
from app.providers.recharges.signing import BadSigningKey, Base, Digest, Rsa, Signer
from app.providers.safe_http import BadAddress

ZONE = ZoneInfo("Asia/Shanghai")
# Of these, what is never a whole number.
NEVER_WHOLE = frozenset({"number", "nonce", "notify_url"})

IS_WHOLE = re.compile(r"-?[0-9]{1,18}")
FIELD_NAME = re.compile(r"[A-Za-z0-9_.\-\[\]]{1,64}")
HEADER_NAME = re.compile(r"[A-Za-z0-9-]{1,64}")
PATH = re.compile(r"[^.|\s]+([.|][^.|\s]+)*")
MOST_MINUTES = 7 * 24 * 60


@dataclass(frozen=True)
class Paths:
    """Where in an answer or a callback each thing stands; empty for what is not said."""

    number: str
    state: str
    reference: str
    message: str
    cost: str
    serial: str


@dataclass(frozen=True)
class CallbackSetup:
    format: str
    paths: Paths
    time: str
    answer: str


@dataclass(frozen=True)
class Setup:
    """All of it, checked. The key is in no repr: it is a Secret."""

    merchant: str
    key: Secret
    time_format: str
    submit: Message
    query: Message
    balance: Message | None
    signer: Signer | None
    base: Base
    sign_field: str
    sign_header: str
    code: str
    ok_codes: frozenset[str]
    refused_codes: frozenset[str]
    not_found_codes: frozenset[str]
    states: Mapping[str, Outcome]
    paths: Paths
    cost_unit: str
    balance_path: str
    balance_unit: str
    takes_number_once: bool
    not_found_after: timedelta
    callback: CallbackSetup

    @classmethod
    def read(cls, configuration: Configuration) -> "Setup":
        """Raises BadConfiguration for the first field that makes no sense."""
        return _Reader(configuration).setup()

    def moment(self, now: datetime) -> str:
        """The time as the supplier wants it; dates and hours are Beijing's."""
        if self.time_format == "seconds":
            return str(int(now.timestamp()))
        if self.time_format == "milliseconds":
            return str(int(now.timestamp() * 1000))
        has_marks = "-" in self.time_format
        return now.astimezone(ZONE).strftime("%Y-%m-%d %H:%M:%S" if has_marks else "%Y%m%d%H%M%S")

    def common(self, now: datetime) -> dict[str, str]:
        """The values that every request may name."""
        return {
            "timestamp": self.moment(now),
            "merchant": self.merchant,
            "nonce": secrets.token_hex(8),
        }


class _Reader:
    """Reads one field after the other; each method raises BadConfiguration for its field."""

    def __init__(self, configuration: Configuration) -> None:
        self._values = configuration.values
        self._configuration = configuration

    def setup(self) -> Setup:
        for field in FIELDS:
            if field.is_required and not self._value(field.name):
                raise BadConfiguration(field.name, N_("请填写"))
            if field.choices and self._value(field.name) not in field.choices:
                raise BadConfiguration(field.name, N_("请从列出的里面选一个"))
        ok, refused, not_found = self._lists("ok_codes", "refused_codes", "not_found_codes")
        if self._value("code_path") and not ok:
            raise BadConfiguration("ok_codes", N_("请填写"))
        signer = self._signer()
        return Setup(
            merchant=self._value("merchant"),
            key=self._configuration.secret("key"),
            time_format=self._value("time_format"),
            submit=self._message("submit", ORDERING, {"number", "account"}),
            query=self._message("query", ASKING, {"number"}),
            balance=self._message("balance", COMMON, set()) if self._value("balance_url") else None,
            signer=signer,
            base=self._base(),
            sign_field=self._name("sign_field", FIELD_NAME),
            sign_header=self._name("sign_header", HEADER_NAME),
            code=self._path("code_path"),
            ok_codes=ok,
            refused_codes=refused,
            not_found_codes=not_found,
            states=self._states(),
            paths=self._paths("%s_path"),
            cost_unit=self._value("cost_unit"),
            balance_path=self._path("balance_path"),
            balance_unit=self._value("balance_unit"),
            takes_number_once=self._value("takes_number_once") == "yes",
            not_found_after=self._minutes("not_found_minutes"),
            callback=self._callback(signer),
        )

    def _value(self, field: str) -> str:
        return self._values.get(field, "").strip()

    def _message(self, prefix: str, allowed: frozenset[str], needed: set[str]) -> Message:
        fields = f"{prefix}_fields"
        lines = tuple(
            self._line(line, allowed, fields)
            for line in self._value(fields).splitlines()
            if line.strip()
        )
        if len({line.name for line in lines}) != len(lines):
            raise BadConfiguration(fields, N_("同一个字段写了两次"))
        message = Message(
            self._value(f"{prefix}_method"), self._url(f"{prefix}_url", allowed), lines
        )
        if not needed <= message.names:
            raise BadConfiguration(fields, N_("要有 {number}，提交时还要有 {account}"))
        return message

    def _line(self, text: str, allowed: frozenset[str], field: str) -> Line:
        name, equals, content = text.strip().partition("=")
        name, _, kind = name.strip().partition(":")
        if not equals or not FIELD_NAME.fullmatch(name) or kind not in ("", "int"):
            raise BadConfiguration(field, N_("每行要写成 名称=内容"))
        if name == self._value("sign_field") and not self._value("sign_header"):
            raise BadConfiguration(field, N_("签名字段会自动加上，不用写"))
        template = Template.read(content.strip(), allowed, field)
        sample = template.fill(dict.fromkeys(template.names, "0"))
        if kind and (template.names & NEVER_WHOLE or not IS_WHOLE.fullmatch(sample)):
            raise BadConfiguration(field, N_("写成 :int 的字段里只能是整数"))
        return Line(name, template, bool(kind))

    def _url(self, field: str, allowed: frozenset[str]) -> Template:
        text = self._value(field)
        template = Template.read(text, allowed, field)
        # What a merchant does not type must not decide whom we call.
        if "{" in urlsplit(text.replace("\\", "/")).netloc:
            raise BadConfiguration(field, N_("域名里不能有花括号"))
        try:
            sample = template.fill(dict.fromkeys(template.names, "0"))
            safe_http.check(sample, allow_private=self._configuration.allow_private)
        except (BadAddress, ValueError) as fault:
            message = fault.message if isinstance(fault, BadAddress) else N_("网址不完整")
            raise BadConfiguration(field, message) from None
        return template

    def _signer(self) -> Signer | None:
        kind, key = self._value("sign_kind"), self._configuration.secret("key")
        if kind == "none":
            return None
        # An empty key would verify everybody's signature.
        if not key:
            raise BadConfiguration("key", N_("请填写"))
        if not self._value("sign_field") and not self._value("sign_header"):
            raise BadConfiguration("sign_field", N_("请填写"))
        if kind == "rsa-sha256":
            return self._rsa(key)
        if kind == "hmac-sha256":
            return Digest(signing.hmac_sha256(key))
        if self._value("sign_key_at") == "nowhere":
            raise BadConfiguration("sign_key_at", N_("MD5 签名里一定要有密钥"))
        return Digest(signing.md5, is_upper=kind == "md5-upper")

    def _rsa(self, key: Secret) -> Signer:
        theirs = self._value("callback_key")
        try:
            private = signing.private_key(key)
        except BadSigningKey:
            raise BadConfiguration("key", N_("私钥读不出来，请粘贴完整的 PEM 或 Base64")) from None
        try:
            return Rsa(private, signing.public_key(theirs) if theirs else None)
        except BadSigningKey:
            raise BadConfiguration(
                "callback_key", N_("公钥读不出来，请粘贴完整的 PEM 或 Base64")
            ) from None

    def _base(self) -> Base:
        key_at = self._value("sign_key_at")
        if self._value("sign_kind") == "rsa-sha256" and key_at != "nowhere":
            raise BadConfiguration("sign_key_at", N_("RSA 请选 nowhere"))
        if key_at == "as_field" and not self._value("sign_key_name"):
            raise BadConfiguration("sign_key_name", N_("请填写"))
        return Base(
            has_marks=self._value("sign_joint") == "k=v&k=v",
            key_at=key_at,
            key_name=self._value("sign_key_name"),
            skips_empty=self._value("sign_empty") == "no",
            without=self._list("sign_without") | {self._value("sign_field")},
        )

    def _name(self, field: str, pattern: re.Pattern[str]) -> str:
        text = self._value(field)
        if text and not pattern.fullmatch(text):
            raise BadConfiguration(field, N_("名称里有不能用的字符"))
        return text

    def _path(self, field: str) -> str:
        text = self._value(field)
        if text and not PATH.fullmatch(text):
            raise BadConfiguration(field, N_("路径要写成 data.state 这样"))
        return text

    def _paths(self, pattern: str) -> Paths:
        names = ("number", "state", "reference", "message", "cost", "serial")
        return Paths(**{name: self._path(pattern % name) for name in names})

    def _list(self, field: str) -> frozenset[str]:
        return frozenset(filter(None, re.split(r"[\s,，、]+", self._value(field))))

    def _lists(self, *fields: str) -> list[frozenset[str]]:
        """Lists of which no two may have the same value: it would mean two things."""
        found: list[frozenset[str]] = []
        for field in fields:
            values = self._list(field)
            if values & frozenset().union(*found):
                raise BadConfiguration(field, N_("同一个值写在了两处"))
            found.append(values)
        return found

    def _states(self) -> dict[str, Outcome]:
        names = ("delivered", "pending", "refused", "not_found")
        lists: Iterable[frozenset[str]] = self._lists(*(f"{name}_states" for name in names))
        return {
            value: Outcome[name.upper()]
            for name, values in zip(names, lists, strict=True)
            for value in values
        }

    def _minutes(self, field: str) -> timedelta:
        text = self._value(field)
        if not re.fullmatch(r"[0-9]{1,5}", text) or not 1 <= int(text) <= MOST_MINUTES:
            raise BadConfiguration(field, N_("要填 1 到 10080 的整数"))
        return timedelta(minutes=int(text))

    def _callback(self, signer: Signer | None) -> CallbackSetup:
        setup = CallbackSetup(
            format=self._value("callback_format"),
            paths=self._paths("callback_%s"),
            time=self._path("callback_time"),
            answer=self._value("callback_answer"),
        )
        if setup.format == "none":
            return setup
        if signer is None:
            raise BadConfiguration("callback_format", N_("没有签名的回调谁都能伪造，请选 none"))
        if self._value("sign_kind") == "rsa-sha256" and not self._value("callback_key"):
            raise BadConfiguration("callback_key", N_("请填写"))
        for field in ("callback_number", "callback_state"):
            if not self._value(field):
                raise BadConfiguration(field, N_("请填写"))
        return setup
