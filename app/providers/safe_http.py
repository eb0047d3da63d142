"""The one way out to servers whose addresses somebody typed in.

A merchant who writes a supplier's address must not be able to make the shop call its own network
(or be talked into it). So: https on the usual ports; the name is looked up once, every address it
has must be a public one, and the connection goes to those very addresses, under the name's own Host
and certificate; no redirect is followed, no proxy of the environment is used. A call ends when its
time is over, however slowly the server drips, and its body after a megabyte.

A call is made once and never again by itself: what it may have started is asked about.
"""

import ipaddress
import os
import socket
import ssl
import time
from collections.abc import Iterable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cache
from threading import Thread
from urllib.parse import urlsplit

import httpcore

from app.core.errors import N_
from app.core.tls import TLS

BODY_LIMIT = 1_000_000
URL_LENGTH = 8000
CONNECT_WITHIN = 3.0
# Shorter than a server keeps an idle connection: none is used at the moment it is closed.
KEEP_IDLE = 2.0
MOST_CONNECTIONS, MOST_IDLE = 200, 50
PORTS = (443, 8443)

NAT64 = ipaddress.ip_network("64:ff9b::/96")
# What is routed on the internet; the rest of the space is not, or only looks like it.
UNICAST = ipaddress.ip_network("2000::/3")

# When the call that this thread is making must be over, by the monotonic clock.
_deadline: ContextVar[float] = ContextVar("deadline")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class BadAddress(Exception):
    """An address that may not be called; `message` is a marked sentence."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


@dataclass(frozen=True)
class Request:
    """One call. Its parts hold keys and accounts and are in no repr."""

    method: str
    url: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)


@dataclass(frozen=True)
class Answer:
    """What came back. `status` is HTTP's, 0 when there was none; `trouble` says why the answer is
    not whole, in words of ours, and then there is no body."""

    status: int = 0
    body: bytes = field(default=b"", repr=False)
    trouble: str = ""
    milliseconds: int = 0


class _Trouble(Exception):
    """Why a call came to nothing, in words that may be logged."""


def check(url: str, *, allow_private: bool = False) -> None:
    """Refuse what may not be called as far as its text tells; raises BadAddress."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise BadAddress(N_("网址不完整")) from None
    # urlsplit() drops line ends and tabs without a word; a backslash is a slash to some.
    if not url.isascii() or not url.isprintable() or set(url) & set(' \\"<>') or not host:
        raise BadAddress(N_("网址不完整"))
    if len(url) > URL_LENGTH:
        raise BadAddress(N_("网址太长"))
    if "@" in parts.netloc or parts.fragment:
        raise BadAddress(N_("网址里不能有用户名、密码或 # 部分"))
    if parts.scheme not in (("https", "http") if allow_private else ("https",)):
        raise BadAddress(N_("网址要以 https:// 开头"))
    if allow_private:
        return
    if (443 if port is None else port) not in PORTS:
        raise BadAddress(N_("只能连接 443 或 8443 端口"))
    literal = _literal(host)
    if literal is not None and not is_public(literal):
        raise BadAddress(N_("不能连接内部网络的地址"))


def is_public(address: Address) -> bool:
    """Whether it is on the internet, and every address that is hidden in it too."""
    hidden = _hidden(address)
    if hidden:
        return all(is_public(one) for one in hidden)
    if isinstance(address, ipaddress.IPv6Address) and address not in UNICAST:
        return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def send(request: Request, *, allow_private: bool = False, timeout: float = 10.0) -> Answer:
    """Call once; whatever happens is an Answer. `timeout` is for all of it, in seconds."""
    began = time.monotonic()
    token = _deadline.set(began + timeout)
    status, body, trouble = 0, b"", ""
    try:
        check(request.url, allow_private=allow_private)
        with _pool(allow_private).stream(
            request.method,
            _target(request.url),
            headers=_headers(request),
            content=request.body or None,
            extensions={"timeout": dict.fromkeys(("connect", "read", "write", "pool"), timeout)},
        ) as response:
            status = response.status
            body = _read(response.iter_stream())
    # Even a connection that was refused is no proof that nothing was sent: another process may have
    # sent the same number before it died. It costs a question to find out, and a wrong guess would
    # cost the recharge twice; so all of these are doubt alike.
    except BadAddress:
        trouble = "the address may not be called"
    except _Trouble as reason:
        trouble = str(reason)
    except httpcore.TimeoutException:
        trouble = "no answer in time"
    except httpcore.ConnectError as error:
        trouble = _why_not_connected(error)
    except httpcore.LocalProtocolError:
        trouble = "the request could not be written"
    except (httpcore.NetworkError, httpcore.ProtocolError):
        trouble = "the connection was cut"
    finally:
        _deadline.reset(token)
    return Answer(
        status, b"" if trouble else body, trouble, round((time.monotonic() - began) * 1000)
    )


def _target(url: str) -> httpcore.URL:
    parts = urlsplit(url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return httpcore.URL(
        scheme=parts.scheme, host=parts.hostname or "", port=parts.port, target=target
    )


def _headers(request: Request) -> list[tuple[str, str]]:
    # A compressed answer could be a thousand times what it measures on its way.
    ours = {"User-Agent": "Hardshelf", "Accept": "*/*", "Accept-Encoding": "identity"}
    given = dict(request.headers)
    if request.method != "GET":
        given["Content-Length"] = str(len(request.body))
    return [("Host", urlsplit(request.url).netloc), *(ours | given).items()]


def _read(parts: Iterable[bytes]) -> bytes:
    body = bytearray()
    for part in parts:
        body += part
        if len(body) > BODY_LIMIT:
            raise _Trouble("the answer is longer than 1 MB")
    return bytes(body)


def _why_not_connected(error: httpcore.ConnectError) -> str:
    cause = error.__cause__ or error.__context__
    if isinstance(cause, ssl.SSLCertVerificationError):
        return "its certificate is not good"
    return "could not connect"


def _left() -> float:
    """The seconds that are left of the call; raises when there are none."""
    left = _deadline.get() - time.monotonic()
    if left <= 0:
        raise httpcore.ReadTimeout
    return left


@cache
def _pool(allow_private: bool) -> httpcore.ConnectionPool:
    """The connections kept. One that was made to a private address serves nobody else."""
    return httpcore.ConnectionPool(
        ssl_context=TLS,
        max_connections=MOST_CONNECTIONS,
        max_keepalive_connections=MOST_IDLE,
        keepalive_expiry=KEEP_IDLE,
        network_backend=_Vetted(allow_private=allow_private),
    )


# Two processes on one connection would read each other's answers.
os.register_at_fork(after_in_child=_pool.cache_clear)


class _Vetted(httpcore.NetworkBackend):
    """Connects to the addresses that were looked at, not to a name that may answer otherwise."""

    def __init__(self, *, allow_private: bool) -> None:
        self._allow_private = allow_private
        self._plain = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        addresses = _look_up(host, port)
        if not addresses:
            raise _Trouble("the name has no address")
        if not self._allow_private and not all(is_public(address) for address in addresses):
            raise _Trouble("the name has an address that is not public")
        *others, last = addresses
        for address in others:
            try:
                return self._connect(address, port)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                continue
        return self._connect(last, port)

    def _connect(self, address: Address, port: int) -> httpcore.NetworkStream:
        within = min(CONNECT_WITHIN, _left())
        return _Timed(self._plain.connect_tcp(str(address), port, within))


class _Timed(httpcore.NetworkStream):
    """A connection whose every wait ends with the call: a drip renews no time-out."""

    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _left())

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _left())

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        return _Timed(self._stream.start_tls(ssl_context, server_hostname, _left()))

    def get_extra_info(self, info: str) -> object:
        return self._stream.get_extra_info(info)


def _look_up(host: str, port: int) -> list[Address]:
    """Every address of a name, in the resolver's order."""
    literal = _literal(host)
    if literal is not None:
        return [literal]
    found: list[Address] = []

    def look() -> None:
        try:
            rows = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            return
        # A link-local address carries its interface after a %.
        found.extend(ipaddress.ip_address(str(row[4][0]).partition("%")[0]) for row in rows)

    # The resolver has a patience of its own, which nothing but another thread can cut short.
    thread = Thread(target=look, daemon=True)
    thread.start()
    thread.join(_left())
    if thread.is_alive():
        raise httpcore.ConnectTimeout
    return list(dict.fromkeys(found))


def _literal(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _hidden(address: Address) -> list[Address]:
    """The addresses that an IPv6 address leads to: mapped, NAT64, 6to4, Teredo."""
    if isinstance(address, ipaddress.IPv4Address):
        return []
    if address.ipv4_mapped is not None:
        return [address.ipv4_mapped]
    if address in NAT64:
        return [ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)]
    if address.sixtofour is not None:
        return [address.sixtofour]
    if address.teredo is not None:
        return list(address.teredo)
    return []
