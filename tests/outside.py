"""What the tests of the processes that play the outside world share: it, and a merchant."""

import contextlib
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qsl

import httpx

from app.core import clock
from app.core.processes import die_with_parent
from app.core.tls import TLS
from app.one_machine import is_free
from app.providers.callbacks import Callback
from tests.servers import ROOT, steady_port, wait_until


@dataclass
class Process:
    """`python -m MODULE` on a port that it can have again after a kill."""

    module: str
    data: Path
    environment: dict[str, str]
    port: int = field(default_factory=steady_port)
    process: "subprocess.Popen[bytes] | None" = None
    # Where what it prints goes, if not to the tests' own output.
    log: Path | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, or start it again after a kill."""
        command = [sys.executable, "-m", self.module, "--port", str(self.port)]
        with contextlib.ExitStack() as opened:
            self.process = subprocess.Popen(
                [*command, "--data", str(self.data)],
                cwd=ROOT,
                env=os.environ | self.environment,
                stderr=opened.enter_context(self.log.open("ab")) if self.log else None,
                preexec_fn=die_with_parent,
            )
        wait_until(self._has_begun, self.module, within=60)

    def _has_begun(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, f"{self.module} ended at once"
        return self.is_up()

    def is_up(self) -> bool:
        with contextlib.suppress(httpx.HTTPError):
            answer = httpx.get(f"{self.url}/healthz", trust_env=False, verify=TLS)
            return answer.status_code == 200
        return False

    def kill(self) -> None:
        """As a power cut would; the worker goes with it."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()
        wait_until(lambda: is_free("127.0.0.1", self.port), "the worker's end")

    def stop(self) -> None:
        assert self.process is not None
        self.process.terminate()
        self.process.wait(15)


def run_without_account(module: str, prefix: str, data: Path) -> "subprocess.CompletedProcess[str]":
    """Run it to the end, with nothing about a merchant in its environment."""
    return subprocess.run(
        [sys.executable, "-m", module, "--port", "1", "--data", str(data)],
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if prefix not in name},
        capture_output=True,
        text=True,
        check=False,
    )


@contextlib.contextmanager
def listening(take: Callable[[Callback], tuple[int, str]]) -> Iterator[str]:
    """A merchant's door: what is posted goes to `take`, which says status and text; its address."""

    class Door(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # Two small packets without it, and the second waits for the first one's receipt.
        wbufsize = -1

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            path, _, query = self.path.partition("?")
            message = Callback(
                "POST", path, parse_qsl(query), dict(self.headers), body, clock.now()
            )
            self._answer(*take(message))

        def do_GET(self) -> None:
            self._answer(200, "back at the shop")

        def _answer(self, status: int, text: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "text/plain")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
            """Silence."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
