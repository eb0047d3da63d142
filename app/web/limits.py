"""How often one address may do what costs us work or what guessers do; reading pages is free.

This is the fence in front: it stops a script before the database is asked anything. What guards
an account is `accounts.throttling`, and what guards stock is the hold budget. When Redis is away
each process counts for itself.
"""

import ipaddress
from collections.abc import Callable
from math import ceil
from typing import Any, TypeVar

from flask import Flask
from flask_limiter import Limiter

from app.core import clock
from app.settings import Settings
from app.web import client

View = TypeVar("View", bound=Callable[..., Any])

# Behind one address of a phone company are thousands of buyers, so these numbers stop scripts and
# no crowd. One name is one budget, whichever views share it.
LIMITS = {
    "place_order": "600 per minute",
    "open_link": "600 per minute",
    "open_shared": "600 per minute",
    "reveal": "600 per minute",
    "lookup": "20 per 10 minutes",
    "report_problem": "30 per hour",
    "correct_account": "60 per hour",
    "redeem": "120 per minute",
    "sign_in": "60 per minute",
    "withdraw": "60 per hour",
    "registration": "60 per hour",
    "apply": "60 per hour",
    # A page of the verifying kind, and a paper that takes a second to draw.
    "verify": "60 per 10 minutes",
    "paper": "60 per 10 minutes",
    "invoice": "30 per hour",
}


FENCE = "limit_name"


def key() -> str:
    """An IPv4 address; for IPv6 the /64 that one household hops within."""
    address = client.address()
    is_v6 = ipaddress.ip_address(address).version == 6
    return client.network(address) if is_v6 else address


limiter = Limiter(
    key_func=key,
    strategy="moving-window",
    key_prefix="limit",
    in_memory_fallback_enabled=True,
    storage_options={"socket_connect_timeout": 1, "socket_timeout": 1},
)


def init_app(app: Flask) -> None:
    app.config["RATELIMIT_STORAGE_URI"] = storage_uri(app.config["SETTINGS"])
    limiter.init_app(app)


def storage_uri(settings: Settings) -> str:
    """Redis's address in the spelling of flask-limiter."""
    return settings.redis_url.replace("unix://", "redis+unix://", 1)


def seconds_to_wait() -> int:
    """Until the fence that this request ran into opens for one more."""
    closed = limiter.current_limit
    assert closed is not None, "no limit was looked at"
    return max(ceil(closed.reset_at - clock.now().timestamp()), 1)


def per_address(name: str) -> Callable[[View], View]:
    """At most so many calls from one address as LIMITS says under this name; then 429."""
    fence = limiter.shared_limit(LIMITS[name], scope=name)

    def fenced(view: View) -> View:
        made: View = fence(view)  # type: ignore[assignment]
        setattr(made, FENCE, name)
        return made

    return fenced


def fence_of(view: Callable[..., Any]) -> str | None:
    """The name under which a view is limited."""
    name: str | None = getattr(view, FENCE, None)
    return name
