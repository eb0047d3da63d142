"""Paths that climb out of what is handed out: to files of the shop, of its keys, of the machine."""

import http.client
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from app.domain.accounts.models import Role
from tests.attacks.outcome import Outcome, control
from tests.attacks.target import Target
from tests.attacks.visitor import Visitor
from tests.servers import ROOT

# Addresses that hand something out, and where in them a path or a name stands.
DOORS = (
    "/{}",
    "/static/{}",
    "/static/css/{}",
    "/assets/0/{}",
    "/assets/0/css/{}",
    "/pictures/{}",
    "/pictures/{}/small",
    "/books/{}",
    "/verify/{}",
    "/s/{}",
    "/orders/{}",
    "/products/{}",
    "/admin/imports/{}/refused",
    "/admin/payouts/{}/file?template={}",
    "/admin/settlements/{}/pdf",
    "/admin/settlements/{}/package",
    "/admin/invoices/{}/file",
    "/portal/statements/{}/xlsx",
    "/portal/share/links/{}/poster.png",
)
# One step up, as it is written by who hopes that somebody reads it otherwise than somebody else.
UPS = (
    *("../", "..%2f", "%2e%2e/", "%2e%2e%2f", "..%5c", "..\\", "..%252f", "....//", "..;/"),
    *("%c0%ae%c0%ae/", ".%00./", "/./../"),
)
# From `static/` and from `static/css/` it is not far to the shop's own files.
DEPTHS = (1, 2, 3)
ALL_THE_WAY = 12
HANDED_OUT = "css/tokens.css"


def run(target: Target, scale: float) -> Outcome:
    """Answers in which one of those files stands."""
    wire = _Wire(target.url, target.member(Role.OWNER).browser)
    secrets = {path: path.read_bytes() for path in _wanted(target)}
    ups = UPS[: max(int(len(UPS) * scale), 2)]
    paths = [path for wanted in secrets for path in _climbing(wanted, ups)]
    tried = through = 0
    for door in DOORS:
        for path in paths:
            answer = wire.get(door.replace("{}", path))
            tried += 1
            through += any(content in answer for content in secrets.values())
    control(all(secrets.values()), "there is something in each of the files")
    asset = (ROOT / "static" / HANDED_OUT).read_bytes()
    return Outcome(
        "path traversal",
        f"{tried} addresses for {len(secrets)} files, as an owner",
        through,
        "no file of the shop or the machine",
        "an owner's sign-in",
        control(
            asset in wire.get(f"/static/{HANDED_OUT}") and wire.is_let_in(),
            "what is handed out comes, file by file, and the owner is let in",
        ),
    )


def _wanted(target: Target) -> Iterator[Path]:
    """The shop's program, its secrets, its data, the machine's users."""
    yield ROOT / "app" / "settings.py"
    yield target.shop.data_dir / "master.key"
    yield target.shop.data_dir / "shop.env"
    yield Path("/etc/passwd")


def _climbing(wanted: Path, ups: tuple[str, ...]) -> Iterator[str]:
    """Ways to write it: from near, from the root of the machine, and whole."""
    for up in ups:
        if wanted.is_relative_to(ROOT):
            for depth in DEPTHS:
                yield up * depth + str(wanted.relative_to(ROOT))
        yield up * ALL_THE_WAY + str(wanted).lstrip("/")
    yield str(wanted)
    yield str(wanted).replace("/", "%2f")


class _Wire:
    """Sends an address as it stands: a client library would tidy it."""

    def __init__(self, url: str, visitor: Visitor) -> None:
        self._host = urlsplit(url).netloc
        self._connection = http.client.HTTPConnection(self._host, timeout=30)
        cookies = "; ".join(f"{name}={value}" for name, value in visitor.cookies.items())
        self._headers = {"Cookie": cookies, "X-Forwarded-For": visitor.address}

    def get(self, target: str) -> bytes:
        """The whole answer, wherever it leads."""
        # The library refuses a target with a blank or a control character; the paths have none.
        self._connection.putrequest("GET", target, skip_accept_encoding=True)
        for name, value in self._headers.items():
            self._connection.putheader(name, value)
        self._connection.endheaders()
        return self._connection.getresponse().read()

    def is_let_in(self) -> bool:
        """Whether the console opens, so that its addresses were really asked."""
        return b"/admin/payouts" in self.get("/admin/")
