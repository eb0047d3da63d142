"""Our accounts at recharge providers: set up in the console, sealed, and spoken to by adapters."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from app.core import audit, clock, keys
from app.core.db import session
from app.core.errors import N_, Conflict, Refusal
from app.core.outbox import hasten, later
from app.domain.catalog.models import RechargeProvider
from app.domain.recharges import engine, queries
from app.providers import recharges as adapters
from app.providers.recharges.interface import (
    BadConfiguration,
    Balance,
    Configuration,
    Provider,
)
from app.settings import Settings

BALANCE_EVERY = timedelta(minutes=10)
SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
NAME_LENGTH = 40
# The fields of any adapter that say whose account at whom it is.
IDENTITY = ("url", "submit_url", "query_url", "merchant", "app_key")
MOST_AT_ONCE = 200
MOST_PER_MINUTE = 100_000


@dataclass(frozen=True)
class Surroundings:
    """Where providers call back, and whether one may be reached on this machine."""

    callback_base: str = ""
    allow_private: bool = False


_surroundings = Surroundings()


def connect(settings: Settings) -> None:
    """Learn where this shop is reached; called once by create_app()."""
    global _surroundings  # noqa: PLW0603  one shop a process
    # A production shop must not be talked into calling its own network (reliability: SSRF).
    _surroundings = Surroundings(settings.internal_url, not settings.is_production)


@dataclass(frozen=True)
class ProviderFields:
    """What staff decide about a provider. `values` are the adapter's; an empty secret keeps the
    one there is. Amounts in minor units."""

    slug: str
    name: str
    adapter: str
    values: Mapping[str, str]
    is_on: bool = True
    concurrency: int = 8
    per_minute: int = 600
    low_balance_at: int = 0


def create(fields: ProviderFields) -> RechargeProvider:
    """A new account at a provider; raises Refusal for the first fault."""
    _check(fields)
    _refuse_taken(fields.slug)
    adapter_of(fields.adapter)
    provider = RechargeProvider(
        slug=fields.slug,
        name=fields.name.strip(),
        adapter=fields.adapter,
        sealed=_seal(fields.slug, _checked_values(fields.adapter, fields.values, {})),
        is_on=fields.is_on,
        concurrency=fields.concurrency,
        per_minute=fields.per_minute,
        low_balance_at=fields.low_balance_at,
    )
    session.add(provider)
    session.flush()
    audit.record("provider.create", "recharge_providers", provider.id, name=provider.name)
    later("app.domain.recharges.jobs.watch_balance", provider.id, key=balance_key(provider.id))
    return provider


def change(provider_id: int, fields: ProviderFields) -> None:
    """Change what staff decide; its slug and adapter stay, callbacks are on their way to them."""
    provider = queries.lock_provider(provider_id)
    _check(fields)
    before = values_of(provider)
    after = _checked_values(provider.adapter, fields.values, before)
    moved = any(after.get(name) != before.get(name) for name in IDENTITY)
    if moved and queries.has_open_attempts(provider.id):
        # Their numbers would be asked about, and sent again, where nobody knows them.
        raise Conflict(N_("还有充值没有结果，不能换网址或账号。请新建一个供应商，停用这一个"))
    changed: dict[str, Any] = {
        name: [getattr(provider, name), getattr(fields, name)]
        for name in ("name", "is_on", "concurrency", "per_minute", "low_balance_at")
        if getattr(provider, name) != getattr(fields, name)
    }
    for name in changed:
        setattr(provider, name, getattr(fields, name))
    if after != before:
        provider.sealed = _seal(provider.slug, after)
        # Names only: what a field holds may be a secret.
        changed["fields"] = sorted(name for name in after if after[name] != before.get(name))
    if changed:
        audit.record("provider.change", "recharge_providers", provider.id, **changed)
    session.flush()
    hasten(balance_key(provider.id))


def switch(provider_id: int, *, is_on: bool, reason: str) -> None:
    """Ask it no more from now on, or again; what it was asked already goes on."""
    if len(reason.strip()) < 2:
        raise Refusal(N_("请写明原因"), field="reason")
    provider = queries.lock_provider(provider_id)
    provider.is_on = is_on
    audit.record(
        "provider.switch", "recharge_providers", provider.id, reason=reason.strip(), is_on=is_on
    )
    session.flush()
    hasten(balance_key(provider.id))


def adapter(provider_id: int) -> Provider:
    """The adapter that speaks to this provider, made from its sealed fields."""
    provider = session.get_one(RechargeProvider, provider_id)
    configuration = Configuration(values_of(provider), allow_private=_surroundings.allow_private)
    return adapters.make(provider.adapter, configuration)


def notify_url(provider_id: int) -> str:
    """Where it calls back."""
    provider = session.get_one(RechargeProvider, provider_id)
    return f"{_surroundings.callback_base}/hooks/recharges/{provider.slug}"


def values_of(provider: RechargeProvider) -> dict[str, str]:
    """The adapter's fields in plain text, secrets among them."""
    sealed = keys.open_personal(provider.sealed, "recharge_providers", provider.slug)
    values: dict[str, str] = json.loads(sealed.reveal())
    return values


def shown_values_of(provider: RechargeProvider) -> dict[str, str]:
    """The fields that may be shown again: all but the secrets."""
    secrets = {field.name for field in adapter_of(provider.adapter).fields if field.is_secret}
    return {name: text for name, text in values_of(provider).items() if name not in secrets}


def adapter_of(name: str) -> adapters.Adapter:
    """The kind of adapter; raises Refusal for one that does not exist."""
    try:
        return adapters.ADAPTERS[name]
    except KeyError:
        raise Refusal(N_("请选择一种接口"), field="adapter") from None


def take_balance(provider_id: int, balance: Balance) -> datetime | None:
    """Write what is left of our deposit; when to ask again, or None for one switched off."""
    provider = queries.lock_provider(provider_id)
    outcome = "unknown" if balance.amount is None else "answered"
    engine.log(provider_id, balance.exchange, outcome, None)
    if balance.amount is not None:
        provider.balance = balance.amount
        provider.balance_at = clock.now()
    return clock.now() + BALANCE_EVERY if provider.is_on else None


def is_low(provider: RechargeProvider) -> bool:
    """Whether staff want to be told that the deposit runs out."""
    return provider.balance is not None and provider.balance < provider.low_balance_at


def balance_key(provider_id: int) -> str:
    """The outbox key of the job that watches a provider's deposit."""
    return f"balance:{provider_id}"


def _check(fields: ProviderFields) -> None:
    if not 1 <= len(fields.name.strip()) <= NAME_LENGTH:
        raise Refusal(N_("名称要有 1 到 %(most)s 个字"), field="name", most=NAME_LENGTH)
    if not SLUG.fullmatch(fields.slug) or len(fields.slug) > NAME_LENGTH:
        raise Refusal(N_("标识只能用小写字母、数字和连字符，最多 40 位"), field="slug")
    if not 1 <= fields.concurrency <= MOST_AT_ONCE:
        raise Refusal(N_("要在 1 到 %(most)s 之间"), field="concurrency", most=MOST_AT_ONCE)
    if not 1 <= fields.per_minute <= MOST_PER_MINUTE:
        raise Refusal(N_("要在 1 到 %(most)s 之间"), field="per_minute", most=MOST_PER_MINUTE)
    if fields.low_balance_at < 0:
        raise Refusal(N_("不能小于 0"), field="low_balance_at")


def _refuse_taken(slug: str) -> None:
    taken = sa.select(RechargeProvider.id).where(RechargeProvider.slug == slug)
    if session.scalar(taken) is not None:
        raise Refusal(N_("这个标识已经用了"), field="slug")


def _checked_values(
    adapter: str, given: Mapping[str, str], before: Mapping[str, str]
) -> dict[str, str]:
    """The adapter's fields as they will be kept; raises Refusal for the first that is not good."""
    values: dict[str, str] = {}
    for field in adapter_of(adapter).fields:
        text = given.get(field.name, "").strip()
        if field.is_secret and not text:
            text = before.get(field.name, "")
        if field.is_required and not text:
            raise Refusal(N_("请填写"), field=field.name)
        values[field.name] = text
    try:
        adapters.make(adapter, Configuration(values, allow_private=_surroundings.allow_private))
    except BadConfiguration as fault:
        raise Refusal(fault.message, field=fault.field) from None
    return values


def _seal(slug: str, values: Mapping[str, str]) -> bytes:
    text = json.dumps(values, ensure_ascii=False, sort_keys=True)
    return keys.seal_personal(text, "recharge_providers", slug)
