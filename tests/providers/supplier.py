"""A supplier's server on this machine: a real one, that misbehaves as a test tells it."""

import json
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from urllib.parse import parse_qsl, urlsplit


@dataclass
class Seen:
    """A request as it arrived, and on which connection."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    connection: tuple[str, int]

    @property
    def query(self) -> dict[str, str]:
        return dict(parse_qsl(urlsplit(self.path).query, keep_blank_values=True))

    @property
    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.body.decode(), keep_blank_values=True))

    @property
    def said(self) -> dict[str, object]:
        found: dict[str, object] = json.loads(self.body)
        return found


Behaviour = Callable[["Supplier", BaseHTTPRequestHandler], None]


def hang_up(supplier: "Supplier", handler: BaseHTTPRequestHandler) -> None:
    """It took the request and closes the connection."""
    handler.close_connection = True


@dataclass
class Supplier:
    """What it does is `behaviour`; what it saw is `seen`."""

    url: str = ""
    behaviour: Behaviour = hang_up
    seen: list[Seen] = field(default_factory=list)
    is_over: Event = field(default_factory=Event)

    def says(self, said: object, status: int = 200, **headers: str) -> None:
        """From now on it answers this: bytes as they are, anything else as JSON."""
        body = said if isinstance(said, bytes) else json.dumps(said, ensure_ascii=False).encode()
        self.behaviour = answering(body, status, headers)

    @property
    def last(self) -> Seen:
        return self.seen[-1]


def answering(body: bytes, status: int, headers: dict[str, str]) -> Behaviour:
    def behave(supplier: Supplier, handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return behave


def silence(supplier: Supplier, handler: BaseHTTPRequestHandler) -> None:
    """It took the request and says nothing until the test is over."""
    supplier.is_over.wait()


def stop_half_way(supplier: Supplier, handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"code": "ok", "state": "delivered"}')
    handler.close_connection = True


def drip_body(supplier: Supplier, handler: BaseHTTPRequestHandler) -> None:
    """A byte now and then: never silent for long, and never done."""
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    _drip(supplier, handler, b" " * 1000)


def drip_headers(supplier: Supplier, handler: BaseHTTPRequestHandler) -> None:
    _drip(supplier, handler, b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 300)


def flood(supplier: Supplier, handler: BaseHTTPRequestHandler) -> None:
    """A body without an end, and without a length that would tell."""
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    while not supplier.is_over.is_set():
        handler.wfile.write(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")


def _drip(supplier: Supplier, handler: BaseHTTPRequestHandler, text: bytes) -> None:
    for byte in text:
        handler.wfile.write(bytes([byte]))
        if supplier.is_over.wait(0.05):
            return


@contextmanager
def open_supplier(tls: ssl.SSLContext | None = None) -> Iterator[Supplier]:
    supplier = Supplier()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            length = int(self.headers.get("Content-Length", "0"))
            headers = {name.lower(): value for name, value in self.headers.items()}
            seen = Seen(
                self.command, self.path, headers, self.rfile.read(length), self.client_address
            )
            supplier.seen.append(seen)
            try:
                supplier.behaviour(supplier, self)
            except OSError:
                # The shop has hung up: it had enough.
                self.close_connection = True

        do_GET = do_POST = handle_any  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Say nothing among the tests' own output."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            """A handshake that the shop broke off is what some tests are about."""

    server = Server(("127.0.0.1", 0), Handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    scheme = "http" if tls is None else "https"
    supplier.url = f"{scheme}://127.0.0.1:{server.server_port}"
    try:
        yield supplier
    finally:
        supplier.is_over.set()
        server.shutdown()
        server.server_close()
        thread.join()
