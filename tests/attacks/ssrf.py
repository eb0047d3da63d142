"""A supplier's address that leads into the shop's own network, in a shop that is in production."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from app import create_app
from app.core import keys
from app.core.db import db, session, transaction
from app.domain.accounts.models import Role
from app.settings import Settings
from bench.shop import gunicorn
from tests import people, servers
from tests.attacks.outcome import Outcome
from tests.attacks.target import Target
from tests.attacks.visitor import Visitor
from tests.conftest import MASTER_KEY

# The other port that suppliers may be called at, and the one that needs no rights to listen on.
PORT = 8443
REAL = "https://openapi.fulu.com/api/getway"
URLS = (
    "https://127.0.0.1:8443/",
    "http://127.0.0.1:8443/",
    "https://localhost:8443/",
    "https://[::1]:8443/",
    "https://[::ffff:127.0.0.1]:8443/",
    "https://[64:ff9b::7f00:1]:8443/",
    "https://[2002:7f00:1::]:8443/",
    "https://2130706433:8443/",
    "https://0x7f.1:8443/",
    "https://0177.0.0.1:8443/",
    "https://127.1:8443/",
    "https://0.0.0.0:8443/",
    "https://user@127.0.0.1:8443/",
    "https://openapi.fulu.com@127.0.0.1:8443/",
    "https://127.0.0.1:8443#@openapi.fulu.com/",
    "https://127.0.0.1:22/",
    "https://169.254.169.254/latest/meta-data/",
    "https://10.0.0.1/",
    "file:///etc/passwd",
    "gopher://127.0.0.1:8443/_x",
)


def run(_target: Target, _scale: float) -> Outcome:
    """Connections that reached a listener on the shop's own machine."""
    with _listening() as reached, _in_production() as (url, cookie, secret):
        owner = Visitor(url, "45.201.0.1")
        owner.cookies[cookie] = secret
        saved = [slug for n, at in enumerate(URLS) if _add(owner, slug := f"trap{n}", at)]
        for slug in saved:
            owner.submit(owner.get(f"/admin/providers/{slug}"), f"/admin/providers/{slug}/test")
        through = len(reached)
        assert _add(owner, "real", REAL), "no address at all can be saved"
    return Outcome(
        "SSRF by a provider's URL",
        f"{len(URLS)} addresses, {len(saved)} of them could be saved and were called",
        through,
        "no connection into the house",
        "an owner's sign-in",
    )


def _add(owner: Visitor, slug: str, address: str) -> bool:
    """Add a provider there; whether it could be saved."""
    page = owner.submit(
        owner.get("/admin/providers/new?adapter=fulu"),
        "/admin/providers",
        slug=slug,
        name="trap",
        field_url=address,
        field_app_key="key",
        field_app_secret="s" * 32,
    )
    return page.path == f"/admin/providers/{slug}"


@contextlib.contextmanager
def _listening() -> Iterator[list[str]]:
    """Whoever reached this machine's inside, by address."""
    reached: list[str] = []
    listeners = []
    for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        with contextlib.suppress(OSError if family == socket.AF_INET6 else ()):
            listener = socket.socket(family)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((address, PORT))
            listener.listen()
            listeners.append(listener)
    for listener in listeners:
        threading.Thread(target=_accept, args=(listener, reached), daemon=True).start()
    with socket.create_connection(("127.0.0.1", PORT)):
        servers.wait_until(lambda: bool(reached), "the listener")
    reached.clear()
    try:
        yield reached
    finally:
        for listener in listeners:
            listener.shutdown(socket.SHUT_RDWR)
            listener.close()


def _accept(listener: socket.socket, reached: list[str]) -> None:
    while True:
        try:
            connection, address = listener.accept()
        except OSError:
            return
        reached.append(str(address))
        connection.close()


@contextlib.contextmanager
def _in_production() -> Iterator[tuple[str, str, str]]:
    """A shop that is in earnest: its address, and the session of its owner."""
    with TemporaryDirectory(prefix="attacked-") as folder:
        port = servers.free_port()
        environment = {
            "DATA_DIR": folder,
            "SECRET_KEY": "attack" * 8,
            "MASTER_KEYS": MASTER_KEY,
            "SHOP_ENV": "production",
            "LOG_LEVEL": "ERROR",
            "BASE_URL": f"http://127.0.0.1:{port}",
            "TRUSTED_PROXIES": "1",
        }
        app = create_app(Settings.from_environment(environment))
        with app.app_context():
            from app.core import migrations

            migrations.upgrade(environment.get("DATABASE_URL", f"sqlite:///{Path(folder)}/shop.db"))
            transaction(keys.ensure_shop_keys)
            owner = people.make(Role.OWNER)
            secret = people.sign_in(owner)
            session.remove()
            db.engine.dispose()
        with gunicorn(["wsgi:app", "--workers", "1"], port, environment):
            yield f"http://127.0.0.1:{port}", "sid", secret
