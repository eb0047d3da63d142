"""One call to a supplier: sent, read, and written down as it may be kept."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from app.providers import safe_http
from app.providers.recharges.answers import Unreadable
from app.providers.recharges.exchanges import Legible, Mask, exchange
from app.providers.recharges.interface import Configuration, Exchange
from app.providers.safe_http import Answer, Request


@dataclass(frozen=True)
class Asked:
    """What is sent, and its fields by name for the log."""

    what: str
    request: Request
    fields: Mapping[str, str]


@dataclass(frozen=True)
class Heard:
    """`said` is the answer, read; None when there was none that makes sense, and then `doubt` says
    why, in words of ours."""

    said: object
    exchange: Exchange
    doubt: str = ""


def call(
    asked: Asked,
    configuration: Configuration,
    read: Callable[[bytes], object],
    legible: Legible,
    mask: Mask,
) -> Heard:
    """Send it once; `read` raises Unreadable for a body that makes no sense."""
    answer = safe_http.send(
        asked.request, allow_private=configuration.allow_private, timeout=configuration.timeout
    )
    said, doubt = _understand(answer, read)
    kept = exchange(asked.what, asked.request, asked.fields, answer, said, legible, mask)
    return Heard(said, kept, doubt)


def _understand(answer: Answer, read: Callable[[bytes], object]) -> tuple[object, str]:
    if answer.trouble:
        return None, answer.trouble
    # An error page may come from somebody in between, who knows nothing of the order.
    if answer.status != 200:
        return None, f"HTTP {answer.status}"
    try:
        return read(answer.body), ""
    except Unreadable:
        return None, "the answer makes no sense"
