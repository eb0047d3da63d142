"""Every setting, read once from the environment; all that is wrong is reported together.

What the environment does not say is looked up in `$DATA_DIR/shop.env`, which `flask init` writes:
so a command given nothing but DATA_DIR acts on the very shop that runs there.
"""

import os
import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from email.utils import parseaddr
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from app.core import rsa2
from app.core.crypto import BadKey, load_key_ring

ENVIRONMENTS = ("demo", "production", "test")
# How Flask reads a switch that is off.
NO = ("", "0", "false", "no")
LOOPBACK = ("127.0.0.1", "::1", "localhost")
IS_SENDER = re.compile(r"[!-?A-~]+@[A-Za-z0-9.-]+")


class BadSettings(Exception):
    """Lists every fault at once, so that nobody mends them one start at a time."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("Settings are wrong:\n" + "\n".join(f"  - {fault}" for fault in faults))
        self.faults = faults


@dataclass(frozen=True)
class Settings:
    """What the operator decides. What the merchant decides stands in the table `preferences`."""

    data_dir: Path
    database_url: str = field(repr=False)
    redis_url: str = field(repr=False)
    secret_key: str = field(repr=False)
    master_keys: str = field(repr=False)
    base_url: str
    internal_url: str
    trusted_proxies: int
    sandbox_url: str
    sandbox_merchant: str
    sandbox_key: str = field(repr=False)
    simulator_url: str
    simulator_merchant: str
    simulator_key: str = field(repr=False)
    alipay_url: str
    alipay_app_id: str
    alipay_private_key: str = field(repr=False)
    alipay_public_key: str = field(repr=False)
    alipay_app_cert_sn: str
    alipay_root_cert_sn: str
    smtp_url: str = field(repr=False)
    mail_from: str
    sms_url: str = field(repr=False)
    sms_key: str = field(repr=False)
    shop_env: str
    log_level: str

    @property
    def is_production(self) -> bool:
        return self.shop_env == "production"

    @property
    def is_https(self) -> bool:
        return self.base_url.startswith("https://")

    @property
    def master_key_file(self) -> Path:
        return self.data_dir / "master.key"

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> "Settings":
        """Read and check; raises BadSettings with every fault there is."""
        given = dict(os.environ if environment is None else environment)
        data_dir = Path(given.get("DATA_DIR") or "data").resolve()
        faults: list[str] = []
        values = _read_env_file(data_dir / "shop.env", faults) | {
            name: value for name, value in given.items() if value
        }
        base_url = values.get("BASE_URL", f"http://127.0.0.1:{values.get('PORT', '8000')}")
        base_url = base_url.rstrip("/")
        settings = cls(
            data_dir=data_dir,
            database_url=values.get("DATABASE_URL", f"sqlite:///{data_dir / 'shop.db'}").replace(
                "postgresql://", "postgresql+psycopg://", 1
            ),
            redis_url=values.get("REDIS_URL", f"unix://{data_dir / 'valkey.sock'}"),
            secret_key=values.get("SECRET_KEY", ""),
            master_keys=values.get("MASTER_KEYS", ""),
            base_url=base_url,
            internal_url=values.get("INTERNAL_URL", base_url).rstrip("/"),
            trusted_proxies=_whole_number(values, "TRUSTED_PROXIES", 0, faults),
            sandbox_url=values.get("SANDBOX_URL", "").rstrip("/"),
            sandbox_merchant=values.get("SANDBOX_MERCHANT", ""),
            sandbox_key=values.get("SANDBOX_KEY", ""),
            simulator_url=values.get("SIMULATOR_URL", "").rstrip("/"),
            simulator_merchant=values.get("SIMULATOR_MERCHANT", ""),
            simulator_key=values.get("SIMULATOR_KEY", ""),
            alipay_url=values.get("ALIPAY_URL", "").rstrip("/"),
            alipay_app_id=values.get("ALIPAY_APP_ID", ""),
            alipay_private_key=values.get("ALIPAY_PRIVATE_KEY", ""),
            alipay_public_key=values.get("ALIPAY_PUBLIC_KEY", ""),
            alipay_app_cert_sn=values.get("ALIPAY_APP_CERT_SN", ""),
            alipay_root_cert_sn=values.get("ALIPAY_ROOT_CERT_SN", ""),
            smtp_url=values.get("SMTP_URL", ""),
            mail_from=values.get("MAIL_FROM", ""),
            sms_url=values.get("SMS_URL", ""),
            sms_key=values.get("SMS_KEY", ""),
            shop_env=values.get("SHOP_ENV", "production"),
            log_level=values.get("LOG_LEVEL", "INFO").upper(),
        )
        faults += settings.faults()
        if settings.is_production and given.get("FLASK_DEBUG", "0").lower() not in NO:
            faults.append("FLASK_DEBUG must be empty in production: it shows the inside to anybody")
        if faults:
            raise BadSettings(faults)
        return settings

    def faults(self) -> list[str]:  # noqa: C901  a list of checks reads best as one
        """Everything that would go wrong later, said now."""
        found = []
        if len(self.secret_key) < 32:
            found.append("SECRET_KEY must have 32 characters or more; `flask init` makes one")
        if self.shop_env not in ENVIRONMENTS:
            found.append(f"SHOP_ENV must be one of {', '.join(ENVIRONMENTS)}")
        for name, url in (("BASE_URL", self.base_url), ("INTERNAL_URL", self.internal_url)):
            if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).netloc:
                found.append(f"{name} must be a full http(s) address, not {url!r}")
        if not self.database_url.startswith(("sqlite:///", "postgresql+psycopg://")):
            found.append("DATABASE_URL must begin with sqlite:/// or postgresql://")
        if not self.redis_url.startswith(("redis://", "rediss://", "unix://")):
            found.append("REDIS_URL must begin with redis://, rediss:// or unix://")
        if self.sandbox_url and not (self.sandbox_merchant and len(self.sandbox_key) >= 32):
            found.append("SANDBOX_URL needs SANDBOX_MERCHANT and a SANDBOX_KEY of 32 or more")
        if self.is_production and self.sandbox_url:
            found.append("SANDBOX_URL must be empty in production: it sells for play money")
        if self.simulator_url and not (self.simulator_merchant and len(self.simulator_key) >= 32):
            found.append("SIMULATOR_URL needs SIMULATOR_MERCHANT and a SIMULATOR_KEY of 32 or more")
        if self.is_production and self.simulator_url:
            found.append("SIMULATOR_URL must be empty in production: it recharges nothing")
        try:
            load_key_ring(self.master_keys, self.master_key_file)
        except BadKey as fault:
            found.append(str(fault))
        found += self._faults_of_alipay()
        found += _faults_of_mail(self.smtp_url, self.mail_from)
        found += _faults_of_sms(self.sms_url, self.sms_key)
        if self.log_level not in ("DEBUG", "INFO", "WARNING", "ERROR"):
            found.append("LOG_LEVEL must be DEBUG, INFO, WARNING or ERROR")
        return found

    def _faults_of_alipay(self) -> Iterator[str]:
        if not self.alipay_url:
            return
        try:
            is_open = _is_open_line(self.alipay_url)
        except ValueError:
            yield "ALIPAY_URL must be a full http(s) address"
            return
        if is_open:
            yield "ALIPAY_URL must be https:// unless it is on this machine"
        if self.is_production and urlsplit(self.alipay_url).hostname in LOOPBACK:
            yield "ALIPAY_URL must not be on this machine in production: it pays play money"
        if not self.alipay_app_id:
            yield "ALIPAY_URL needs ALIPAY_APP_ID"
        for name, text, is_key in (
            ("ALIPAY_PRIVATE_KEY", self.alipay_private_key, rsa2.is_private_key),
            ("ALIPAY_PUBLIC_KEY", self.alipay_public_key, rsa2.is_public_key),
        ):
            if not is_key(text):
                # Not quoted: it may be a key all the same.
                yield f"ALIPAY_URL needs {name}, an RSA key as base64 of its DER form"


def _is_open_line(url: str) -> bool:
    """Whether it is http to another machine; raises ValueError for what is no address."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0:
        raise ValueError("not an address")
    return parts.scheme == "http" and parts.hostname not in LOOPBACK


def _faults_of_mail(url: str, sender: str) -> Iterator[str]:
    if not url:
        return
    try:
        parts = urlsplit(url)
        is_address = parts.scheme in ("smtp", "smtps") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_address = False
    if not is_address:
        # Not quoted: a password stands in it.
        yield "SMTP_URL must be smtp://user:password@host:587?starttls=1 or smtps://…"
        return
    is_encrypted = parts.scheme == "smtps" or parse_qs(parts.query).get("starttls") == ["1"]
    if not is_encrypted and parts.hostname not in LOOPBACK:
        yield "SMTP_URL must be smtps:// or say ?starttls=1: a password would cross open networks"
    if not IS_SENDER.fullmatch(parseaddr(sender)[1]):
        yield "SMTP_URL needs MAIL_FROM, the address that messages come from, in plain letters"


def _faults_of_sms(url: str, key: str) -> Iterator[str]:
    if not url:
        return
    try:
        parts = urlsplit(url)
        is_open = parts.scheme == "http" and parts.hostname not in LOOPBACK
        is_address = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_address = is_open = False
    if not is_address:
        yield "SMS_URL must be a full http(s) address"
    if is_open:
        yield "SMS_URL must be https:// unless it is on this machine: phone numbers would be seen"
    if len(key) < 32:
        yield "SMS_URL needs an SMS_KEY of 32 characters or more"


def _read_env_file(path: Path, faults: list[str]) -> dict[str, str]:
    if not path.exists():
        return {}
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        faults.append(f"{path} holds secrets and must be readable by its owner only: chmod 600")
    lines = (line.strip() for line in path.read_text().splitlines())
    pairs = (line.partition("=") for line in lines if line and not line.startswith("#"))
    return {name.strip(): value.strip() for name, _, value in pairs}


def _whole_number(values: Mapping[str, str], name: str, default: int, faults: list[str]) -> int:
    text = values.get(name, "")
    if not text:
        return default
    if not text.isdigit():
        faults.append(f"{name} must be a whole number, not {text!r}")
        return default
    return int(text)
