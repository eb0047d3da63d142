"""What all callbacks go through: read, verified, taken, acknowledged in the sender's own words."""

from collections.abc import Callable, Mapping
from typing import Protocol, TypeVar

import structlog
from flask import Response, request

from app.core import clock
from app.core.actors import act_as
from app.providers.callbacks import Callback, Forged, Malformed, Reply

log = structlog.get_logger()

BODY_LIMIT = 64 * 1024
Notice = TypeVar("Notice")
Read_co = TypeVar("Read_co", covariant=True)


class Sender(Protocol[Read_co]):
    """Whoever calls back: it knows its own signature and its own words."""

    def parse_callback(self, message: Callback) -> Read_co: ...
    def acknowledge(self, accepted: bool) -> Reply: ...


def receive(
    sender: Sender[Notice], actor: str, take: Callable[[Notice], Mapping[str, object]]
) -> Response:
    """Take a message exactly once; `take` commits and says what to log of it.

    A database fault answers 500, so the sender sends it again; a forged message is refused and
    changes nothing.
    """
    message = Callback(
        method=request.method,
        path=request.path,
        query=list(request.args.items(multi=True)),
        headers=dict(request.headers.items()),
        body=request.stream.read(BODY_LIMIT + 1),
        received_at=clock.now(),
    )
    act_as(actor)
    try:
        notice = sender.parse_callback(message)
    except (Forged, Malformed) as error:
        log.warning("callback.refused", sender=actor, why=type(error).__name__)
        return _answer(sender.acknowledge(False))
    log.info("callback.taken", sender=actor, **take(notice))
    return _answer(sender.acknowledge(True))


def _answer(reply: Reply) -> Response:
    return Response(reply.body, reply.status, content_type=reply.content_type)
