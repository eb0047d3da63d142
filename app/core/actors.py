"""Who is acting: a person, a channel's callback, a worker's job, a command."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_actor: ContextVar[str] = ContextVar("actor", default="system")


def actor() -> str:
    """ "person:12", "guest", "channel:sandbox", "job:…", "command:…" or "system"."""
    return _actor.get()


def act_as(name: str) -> None:
    """From here on, in this context, `name` is who did it."""
    _actor.set(name)


@contextmanager
def acting_as(name: str) -> Iterator[None]:
    """Within the block, `name` is who did it."""
    token = _actor.set(name)
    try:
        yield
    finally:
        _actor.reset(token)
