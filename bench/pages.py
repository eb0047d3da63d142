"""The product page of a stranger, against a bare Flask view of the same size."""

import gzip
import re
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

from bench import shop
from bench.buyer import Buyer, Connection
from bench.table import Figure
from tests import servers

SECONDS = 6
BARE = """
from flask import Flask
page = open({path!r}).read()
app = Flask(__name__)
@app.get("/")
def show():
    return page
"""


def run(scale: float) -> list[Figure]:
    seconds = max(int(SECONDS * scale), 2)
    with shop.serving(codes=50) as web, TemporaryDirectory() as folder:
        status, _, page = Buyer(Connection(web.port), 1).get(f"/products/{web.slug}")
        assert status == 200
        mine = _rate(web.port, f"/products/{web.slug}", seconds)
        sizes = _sizes(Connection(web.port), page)
        (Path(folder) / "page.html").write_bytes(page)
        bare = _bare(Path(folder), seconds)
    return [
        Figure(
            "product page, a stranger's",
            f"{mine:.0f} /s, {mine / bare:.2f} of bare",
            "≥ 1/2 of a bare view",
            f"{bare:.0f} /s (bare Flask, {len(page) / 1000:.0f} kB)",
        ),
        Figure("HTML + CSS + JS, gzipped", f"{sum(sizes) / 1000:.1f} kB", "< 60 kB"),
    ]


def _bare(folder: Path, seconds: int) -> float:
    (folder / "bare.py").write_text(BARE.format(path=str(folder / "page.html")))
    port = servers.free_port()
    arguments = ["bare:app", "--pythonpath", str(folder), "--workers", "2"]
    with shop.gunicorn(arguments, port, {}):
        return _rate(port, "/", seconds)


def _rate(port: int, path: str, seconds: int) -> float:
    command = ["wrk", "-t1", "-c8", f"-d{seconds}s", f"http://127.0.0.1:{port}{path}"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(re.search(r"Requests/sec: +([\d.]+)", done.stdout)[1])  # type: ignore[index]


def _sizes(connection: Connection, page: bytes) -> list[int]:
    """Bytes on the wire of the page and of each style sheet and script it names."""
    found = [len(gzip.compress(page, 6))]
    for path in re.findall(rb'(?:href|src)="(/assets/[^"]+\.(?:css|js))"', page):
        _, head, _ = connection.ask("GET", path.decode(), {"Accept-Encoding": "gzip"})
        found.append(int(re.search(rb"(?i)content-length: (\d+)", head)[1]))  # type: ignore[index]
    return found
