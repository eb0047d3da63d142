"""Requests as a merchant writes them down: texts with our values in {braces}."""

import string
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import quote

from app.core.errors import N_
from app.providers.recharges.interface import BadConfiguration

# What every call may say, and what only an order may.
COMMON = frozenset({"timestamp", "merchant", "nonce"})
ASKING = COMMON | {"number"}
ORDERING = ASKING | {"sku", "account", "quantity", "notify_url", "cost_limit"}


@dataclass(frozen=True)
class Template:
    """A text with our values in {braces}."""

    parts: tuple[tuple[str, str], ...]

    @classmethod
    def read(cls, text: str, allowed: frozenset[str], field: str) -> "Template":
        """Raises BadConfiguration for braces that do not match or name nothing of ours."""
        try:
            parts = list(string.Formatter().parse(text))
        except ValueError:
            raise BadConfiguration(field, N_("花括号没有成对")) from None
        if any(
            name is not None and (name not in allowed or spec or way)
            for _, name, spec, way in parts
        ):
            raise BadConfiguration(field, N_("花括号里是不认识的名称"))
        return cls(tuple((plain, name or "") for plain, name, _, _ in parts))

    @property
    def names(self) -> set[str]:
        return {name for _, name in self.parts if name}

    def fill(self, values: Mapping[str, str], quoted: Callable[[str], str] = str) -> str:
        return "".join(plain + (quoted(values[name]) if name else "") for plain, name in self.parts)


@dataclass(frozen=True)
class Line:
    """One field of a request; `is_number` writes it as a number where the request is JSON."""

    name: str
    content: Template
    is_number: bool


@dataclass(frozen=True)
class Message:
    """How one kind of request is sent."""

    method: str
    url: Template
    lines: tuple[Line, ...]

    @property
    def names(self) -> set[str]:
        return self.url.names.union(*(line.content.names for line in self.lines))

    def url_for(self, values: Mapping[str, str]) -> str:
        return self.url.fill(values, lambda value: quote(value, safe=""))
