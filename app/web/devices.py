"""The cookie `device`: a browser that is known again, and the distributors at home in it.

Whoever opens a shared link, or any page of the portal, gets one. It is signed, so nobody can make
her browser pass for another's; whoever deletes it is a stranger again, and what she pays with still
tells.
"""

from dataclasses import dataclass

from flask import Response, current_app, request
from itsdangerous import BadSignature, URLSafeSerializer

from app.core import ids, keys

COOKIE = "device"
MAX_AGE = 400 * 24 * 3600
# More than share one phone.
KEEP = 10


@dataclass(frozen=True)
class Device:
    """A browser. `owners` are the uids of the distributors who were signed in in it."""

    name: str
    owners: tuple[str, ...] = ()

    @property
    def index(self) -> str:
        """A keyed hash by which rows know the device again; the cookie cannot be made from it."""
        return keys.index("device", self.name).hex()[:32]


def current() -> Device | None:
    """The device that asks; None for one that was never given a name."""
    cookie = request.cookies.get(COOKIE, "")
    if not cookie:
        return None
    try:
        found = _signer().loads(cookie)
    except BadSignature:
        return None
    return Device(found["name"], tuple(found["owners"]))


def known() -> Device:
    """The device that asks, given a name if it has none yet."""
    return current() or Device(ids.token())


def put(response: Response, device: Device, owner: str = "") -> Response:
    """Let the browser keep its name, and whose it is from now on too."""
    owners = [owner, *(other for other in device.owners if other != owner)]
    response.set_cookie(
        COOKIE,
        _signer().dumps({"name": device.name, "owners": [uid for uid in owners if uid][:KEEP]}),
        max_age=MAX_AGE,
        httponly=True,
        samesite="Lax",
        secure=current_app.config["SESSION_COOKIE_SECURE"],
    )
    return response


def _signer() -> URLSafeSerializer:
    return URLSafeSerializer(current_app.config["SECRET_KEY"], salt="device")
