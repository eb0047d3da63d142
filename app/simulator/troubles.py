"""What can go wrong with an answer on its way."""

import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass

from flask import Response, request


@dataclass(frozen=True)
class Trouble:
    """`hang`: nothing for so many seconds, then 500. `fail`: 500. `cut`: the connection ends.
    `garble`: half of the answer, and bytes that are none. `drip`: it takes so many seconds."""

    kind: str = ""
    seconds: int = 0


NONE = Trouble()


def spoil(trouble: Trouble, answer: Response) -> Response:
    """The answer as the merchant gets it."""
    body = answer.get_data()
    if trouble.kind in ("hang", "fail"):
        threading.Event().wait(trouble.seconds)
        return Response("<h1>500 Internal Server Error</h1>", 500)
    if trouble.kind == "cut":
        return cut()
    if trouble.kind == "garble":
        answer.set_data(body[: len(body) // 2] + b"\xff\xfe")
    if trouble.kind == "drip":
        answer.response = _dripping(body, trouble.seconds)
        answer.content_length = len(body)
    return answer


def cut() -> Response:
    """End the connection with nothing said."""
    connection: socket.socket = request.environ["gunicorn.socket"]
    connection.shutdown(socket.SHUT_RDWR)
    return Response("")


def _dripping(body: bytes, seconds: int) -> Iterator[bytes]:
    for place in range(len(body)):
        threading.Event().wait(seconds / len(body))
        yield body[place : place + 1]
