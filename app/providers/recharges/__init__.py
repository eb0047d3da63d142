"""The recharge adapters there are. An account at a provider is configured in the console."""

from collections.abc import Callable
from dataclasses import dataclass

from app.core.errors import N_
from app.providers.recharges import fulu, http, http_fields, simulator
from app.providers.recharges.interface import Configuration, Field, Provider


@dataclass(frozen=True)
class Adapter:
    """One kind of provider: its marked title, the fields it needs, and how it is made."""

    name: str
    title: str
    fields: tuple[Field, ...]
    make: Callable[[Configuration], Provider]


class UnknownAdapter(Exception):
    """There is no adapter of that name."""


ADAPTERS: dict[str, Adapter] = {
    adapter.name: adapter
    for adapter in (
        Adapter("fulu", N_("福禄开放平台"), fulu.FIELDS, fulu.make),
        Adapter("http", N_("自己的供应商（HTTP 接口）"), http_fields.FIELDS, http.make),
        Adapter("simulator", N_("充值模拟器"), simulator.FIELDS, simulator.make),
    )
}


def make(name: str, configuration: Configuration) -> Provider:
    """The adapter, ready to be called; raises UnknownAdapter, BadConfiguration."""
    if name not in ADAPTERS:
        raise UnknownAdapter(name)
    return ADAPTERS[name].make(configuration)
