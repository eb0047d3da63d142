"""Who is asking, as far as the network tells."""

import ipaddress

from flask import request

# Whoever has no address of the network's: a request over a unix socket, and what no address is.
NOWHERE = "192.0.2.0"


def address() -> str:
    """The client's address; behind proxies the one that the trusted hops report."""
    try:
        seen = ipaddress.ip_address(request.remote_addr or NOWHERE)
    except ValueError:
        return NOWHERE
    # A socket that listens to both kinds shows IPv4 as a part of one single IPv6 network.
    mapped = seen.ipv4_mapped if isinstance(seen, ipaddress.IPv6Address) else None
    return str(mapped or seen)


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
