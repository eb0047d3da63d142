"""What every call of a merchant goes through before anything is done."""

import threading

from flask import Response

from app.simulator.conditions import Conditions
from app.simulator.provider import here
from app.simulator.troubles import cut


def pass_through() -> Response | None:
    """Wait as long as every call takes now; when the provider is down, go no further."""
    with here().record.unit() as db:
        conditions = Conditions.now(db)
    if conditions.down == "cuts":
        return cut()
    if conditions.down:
        return Response("<h1>503 Service Unavailable</h1>", 503)
    if conditions.latency:
        threading.Event().wait(conditions.latency / 1000)
    return None
