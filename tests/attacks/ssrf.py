"""A supplier's address that leads into the shop's own network, in a shop that is in production.

Suppliers' addresses are the only ones that somebody may type: webhooks are not in the shop yet.
"""

import contextlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from app import create_app
from app.core import keys, migrations
from app.core.db import db, session, transaction
from app.domain.accounts.models import Role
from app.domain.recharges import queries
from app.settings import Settings
from bench.shop import gunicorn
from tests import people, servers
from tests.attacks.outcome import Outcome, control
from tests.attacks.target import Target
from tests.attacks.visitor import Visitor
from tests.conftest import MASTER_KEY

# The other port that suppliers may be called at, and the one that needs no rights to listen on.
PORT = 8443
# A public address at which nobody lives: what was given to relays of 6to4, which are no more
# (RFC 7526).
PUBLIC = "https://192.88.99.1:8443/"
URLS = (
    "https://127.0.0.1:8443/",
    "http://127.0.0.1:8443/",
    "https://localhost:8443/",
    "https://LOCALHOST.:8443/",
    "https://ip6-localhost:8443/",
    f"https://{socket.gethostname()}:8443/",
    "https://[::1]:8443/",
    "https://[::ffff:127.0.0.1]:8443/",
    "https://[64:ff9b::7f00:1]:8443/",
    "https://[2002:7f00:1::]:8443/",
    "https://[::]:8443/",
    "https://2130706433:8443/",
    "https://0x7f.1:8443/",
    "https://0177.0.0.1:8443/",
    "https://127.1:8443/",
    "https://①②⑦.0.0.1:8443/",
    "https://0.0.0.0:8443/",
    "https://user@127.0.0.1:8443/",
    "https://openapi.fulu.com@127.0.0.1:8443/",
    "https://127.0.0.1:8443#@openapi.fulu.com/",
    "https://127.0.0.1:8443\\@openapi.fulu.com/",
    "https://127.0.0.1:22/",
    "https://169.254.169.254/latest/meta-data/",
    "https://10.0.0.1/",
    "file:///etc/passwd",
    "gopher://127.0.0.1:8443/_x",
)
REFUSED = ("may not be called", "not public", "has no address")


@dataclass
class Trap:
    """A shop, its owner's browser, and what her suppliers' calls came to."""

    owner: Visitor
    saved: list[str] = field(default_factory=list)

    def lay(self, slug: str, address: str) -> bool:
        """A supplier there, asked for its balance at once; False when it could not be saved."""
        added = self.owner.submit(
            self.owner.get("/admin/providers/new?adapter=fulu"),
            "/admin/providers",
            slug=slug,
            name="trap",
            field_url=address,
            field_app_key="key",
            field_app_secret="s" * 32,
        )
        if added.path != f"/admin/providers/{slug}":
            return False
        self.saved.append(slug)
        self.owner.submit(added, f"/admin/providers/{slug}/test")
        return True


def run(target: Target, _scale: float) -> Outcome:
    """Connections that reached a listener on the shop's own machine."""
    with _listening() as reached:
        with _in_production() as (shop, settings):
            for number, address in enumerate(URLS):
                shop.lay(f"trap{number}", address)
            through, said = len(reached), _said(settings, shop.saved)
            control(len(said) == len(shop.saved), "whatever can be saved is called")
            control(shop.lay("public", PUBLIC), "a public address can be saved")
            tried = _said(settings, ["public"])["public"]
        control(
            not any(words in tried for words in REFUSED), f"a public address is called: {tried}"
        )
        playing = Trap(target.member(Role.OWNER).browser)
        control(playing.lay("trap", f"http://127.0.0.1:{PORT}/"), "out of production it is saved")
        reach = control(reached, "a shop that is not in production calls the listener")
    return Outcome(
        "SSRF by a provider's URL",
        f"{len(URLS)} addresses, {len(said)} of them could be saved and were called",
        through,
        "no connection into the house",
        "an owner's sign-in",
        reach,
    )


def _said(settings: Settings, slugs: list[str]) -> dict[str, str]:
    """What the log of calls says of each provider's test."""
    app = create_app(settings)
    with app.app_context():
        found = {
            slug: call.response
            for slug in slugs
            for call in queries.latest_calls_of(queries.find_provider(slug).id, 1)
        }
        session.remove()
        db.engine.dispose()
    return found


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
def _in_production() -> Iterator[tuple[Trap, Settings]]:
    """A shop that is in earnest, with its owner at the console."""
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
        settings = Settings.from_environment(environment)
        app = create_app(settings)
        with app.app_context():
            migrations.upgrade(f"sqlite:///{Path(folder)}/shop.db")
            transaction(keys.ensure_shop_keys)
            secret = people.sign_in(people.make(Role.OWNER))
            session.remove()
            db.engine.dispose()
        with gunicorn(["wsgi:app", "--workers", "1"], port, environment):
            owner = Visitor(f"http://127.0.0.1:{port}", "45.201.0.1")
            owner.cookies["sid"] = secret
            yield Trap(owner), settings
