"""A buyer as a browser is, on one kept connection, and cheap: it shares the cores with the shop."""

import gzip
import re
import socket
from urllib.parse import parse_qs, urlencode, urlsplit

from bench.shop import PRICE, receipt

TOKEN = re.compile(rb'name="csrf_token" value="([^"]+)"')
CHECKOUT_KEY = re.compile(rb'name="checkout_key" value="([^"]+)"')
CODE = re.compile(rb'data-testid="code"')
LENGTH = re.compile(rb"(?i)\r\ncontent-length: (\d+)")
COOKIE = re.compile(rb"(?i)\r\nset-cookie: ([^=]+)=([^;\r]*)")
LOCATION = re.compile(rb"(?i)\r\nlocation: ([^\r]+)")
STEPS = ("product page", "place", "callback", "order page", "reveal")


class Unexpected(Exception):
    """The shop answered otherwise than a buyer needs."""


class Connection:
    """One kept HTTP connection; it speaks only what the shop's pages need."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._connect()

    def _connect(self) -> None:
        self.socket = socket.create_connection(("127.0.0.1", self.port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def ask(
        self, method: str, path: str, headers: dict[str, str], body: bytes = b""
    ) -> tuple[int, bytes, bytes]:
        """The status, the head and the body of the answer."""
        lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        if body:
            lines.append(f"Content-Length: {len(body)}")
        received = self._send("\r\n".join([*lines, "", ""]).encode() + body)
        while b"\r\n\r\n" not in received:
            received += self._more()
        head, _, content = received.partition(b"\r\n\r\n")
        length = LENGTH.search(head)
        wanted = int(length[1]) if length else 0
        while len(content) < wanted:
            content += self._more()
        if b"ontent-encoding: gzip" in head.lower():
            content = gzip.decompress(content)
        return int(head[9:12]), head, content

    def _send(self, request: bytes) -> bytes:
        """The first bytes of the answer."""
        try:
            self.socket.sendall(request)
            return self._more()
        except (Unexpected, ConnectionError):
            # A server closes a connection that was idle for some seconds; browsers do this too.
            self.socket.close()
            self._connect()
            self.socket.sendall(request)
            return self._more()

    def close(self) -> None:
        self.socket.close()

    def _more(self) -> bytes:
        got = self.socket.recv(1 << 16)
        if not got:
            raise Unexpected("the shop hung up")
        return got


class Buyer:
    """A new person: no cookies, an address and a phone of her own."""

    def __init__(self, shop: Connection, number: int) -> None:
        self.shop = shop
        self.cookies: dict[str, str] = {}
        # Of the network that is kept for benches (RFC 2544): one that is private is nobody's own.
        self.address = f"198.{18 + (number >> 16 & 1)}.{number >> 8 & 255}.{number & 255}"
        self.phone = f"138{number:08d}"

    def get(self, path: str, **headers: str) -> tuple[int, bytes, bytes]:
        return self._ask("GET", path, b"", headers)

    def post(self, path: str, form: dict[str, str], **headers: str) -> tuple[int, bytes, bytes]:
        headers["Content-Type"] = "application/x-www-form-urlencoded"
        return self._ask("POST", path, urlencode(form).encode(), headers)

    def _ask(
        self, method: str, path: str, body: bytes, more: dict[str, str]
    ) -> tuple[int, bytes, bytes]:
        headers = {
            "User-Agent": "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 Chrome/130",
            "Accept-Encoding": "gzip",
            "Accept-Language": "zh-CN",
            "Sec-Fetch-Site": "same-origin",
            "X-Forwarded-For": self.address,
        }
        if self.cookies:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        status, head, content = self.shop.ask(method, path, headers | more, body)
        for name, value in COOKIE.findall(head):
            self.cookies[name.decode()] = value.decode()
        return status, head, content

    def place(self, slug: str) -> tuple[int, bytes, bytes]:
        """From the product's page to the channel: the answer to the form."""
        _, _, page = self.get(f"/products/{slug}")
        form = {
            "csrf_token": _found(TOKEN, page),
            "checkout_key": _found(CHECKOUT_KEY, page),
            "product": slug,
            "price": str(PRICE),
            "quantity": "1",
            "channel": "sandbox",
            "contact": self.phone,
        }
        return self.post("/orders", form)

    def buy(self, slug: str, channel: Connection) -> None:
        """A complete order, from the product's page to the code. Raises Unexpected."""
        status, head, content = self.place(slug)
        if status != 303:
            raise Unexpected(f"placing answered {status}: {content[:200]!r}")
        asked = parse_qs(urlsplit(_found(LOCATION, head)).query)
        pay(channel, asked["number"][0])
        order = urlsplit(asked["return_url"][0]).path
        _, _, page = self.get(order)
        # As the button does it: HTMX asks for the order alone, not for the page around it.
        answer = self.post(
            f"{order}/reveal", {"csrf_token": _found(TOKEN, page)}, **{"HX-Request": "true"}
        )
        _found(CODE, answer[2])


def pay(channel: Connection, payment: str) -> None:
    """Tell the shop, as the channel does, that a payment was made."""
    body, headers = receipt(payment)
    headers["Content-Type"] = "application/json"
    status, _, content = channel.ask("POST", "/hooks/payments/sandbox", headers, body)
    if status != 200:
        raise Unexpected(f"the callback got {status}: {content[:200]!r}")


def _found(pattern: re.Pattern[bytes], text: bytes) -> str:
    match = pattern.search(text)
    if match is None:
        raise Unexpected(f"no {pattern.pattern!r} in {text[:300]!r}")
    return match[1].decode() if pattern.groups else ""
