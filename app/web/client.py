"""Who is asking, as far as the network tells."""

import ipaddress

from flask import request


def address() -> str:
    """The client's address; behind proxies the one that the trusted hops report.

    A request without one (over a unix socket) counts for the documentation network.
    """
    return request.remote_addr or "192.0.2.0"


def network(text: str) -> str:
    """The network an address is in: /24 for IPv4, /64 for IPv6, what one person can hop within."""
    parsed = ipaddress.ip_address(text)
    bits = 24 if parsed.version == 4 else 64
    return str(ipaddress.ip_network(f"{parsed}/{bits}", strict=False))


def look() -> str:
    """What a browser tells every site of itself: coarse, and nothing is asked of it by a script."""
    return f"{request.user_agent.string[:300]} {request.headers.get('Accept-Language', '')[:100]}"


def is_phone() -> bool:
    """Whether the browser says it is on a phone: some channels have a page for each."""
    return "Mobi" in request.user_agent.string
