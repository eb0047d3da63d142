"""Texts that a spreadsheet would compute, left by strangers in whatever staff take out as files."""

import csv
import io
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial

import openpyxl
import sqlalchemy as sa

from app.core import clock
from app.core.actors import acting_as
from app.core.db import session, transaction
from app.domain.accounts.contacts import Contact
from app.domain.accounts.models import Person, Role
from app.domain.channels import joining
from app.domain.channels.models import Distributor
from app.domain.payouts import paying, queries
from app.domain.payouts.models import AccountKind
from app.domain.payouts.paper_models import SettlementStatement
from app.providers.payouts.bank_file import TEMPLATES
from tests import paying_out, people
from tests.attacks import target as house
from tests.attacks.outcome import Outcome, control
from tests.attacks.target import Target
from tests.attacks.visitor import Page, Visitor

# Short enough for every field.
FORMULAS = (
    '=HYPERLINK("//e.cn","a")',
    "+cmd|'/C calc'!A0",
    "-2+3+cmd|'/C calc'!A0",
    "@SUM(1+1)*cmd|'/C'!A0",
    "\t=1+1",
    "\r=1+1",
    "＝1+1",
)
STARTS = tuple("=+-@\t\r＝＋－＠")
# A tab before a long number is the shop's own: without it a spreadsheet rounds the last digits.
IS_NUMBER = re.compile(r"[-+]?[0-9.,]+%?|\t[0-9A-Z]+")
# Where a stranger may write, and how the text ends there; the first two are in no file.
REPORT, INTRODUCTION = "a problem's report", "an introduction"
CONTACT, NAME, HOLDER, BANK, TAXPAYER = "a contact", "a name", "a holder", "a bank", "a taxpayer"
MARKS = {REPORT: "r", INTRODUCTION: "i", NAME: "n", HOLDER: "h", BANK: "b", TAXPAYER: "t"}
IN_FILES = (CONTACT, NAME, HOLDER, BANK, TAXPAYER)
GROSS = 100_00


@dataclass
class Left:
    """What strangers wrote at each door: as taken, and how many were refused."""

    placed: dict[str, list[str]] = field(default_factory=dict)
    refused: int = 0

    def note(self, page: Page, **texts: str) -> None:
        for door, text in texts.items():
            if page.status < 400:
                self.placed.setdefault(door, []).append(text)
            else:
                self.refused += 1

    @property
    def count(self) -> int:
        return sum(map(len, self.placed.values()))


def run(target: Target, _scale: float) -> Outcome:
    """Cells of the console's files that begin as a formula does."""
    with target.inside():
        path = house.path_of(house.product(50))
    left = Left()
    for number, formula in enumerate(FORMULAS):
        who = target.attacker(60_000 + number)
        _buy(target, who, path, formula, left)
        _sell(target, who, number, formula, left)
    with target.inside():
        _pay_out()
    target.wait_for_jobs("app.domain.payouts.jobs.issue_statement")
    owner = target.member(Role.OWNER).browser
    files = [list(_cells(page)) for page in _files(target, owner)]
    cells = [cell for file in files for cell in file]
    # With the quote in front of it, or as it must not be.
    read = {_as_read(cell.removeprefix("'")) for cell in cells}
    for door in IN_FILES:
        for text in left.placed.get(door, []):
            control(_as_read(text) in read, f"{door} stands in a file: {text!r}")
    return Outcome(
        "formula injection",
        f"{left.count} texts in {len(left.placed)} fields, {left.refused} refused; "
        f"{len(files)} files read",
        sum(_is_formula(cell) for cell in cells) + _formulas_in_papers(target, owner),
        "no cell computes",
        "nothing",
        control(
            set(IN_FILES) <= set(left.placed), f"texts of {len(IN_FILES)} fields are in the files"
        ),
    )


def _buy(target: Target, who: Visitor, path: str, formula: str, left: Left) -> None:
    """An order under such a contact, and a report about another one."""
    # A name of her own each: three unpaid orders are all that one contact may have.
    contact = f"{_as_read(formula)[0]}{len(left.placed.get(CONTACT, []))}@e.cn"
    placed = target.order(who, path, contact)
    left.note(placed, **{CONTACT: f"{contact[0]}***@e.cn"})
    who.cookies.clear()
    page = target.pay(who, target.order(who, path, target.phone()))
    text = formula + MARKS[REPORT]
    left.note(who.submit(page, "/problems", text=text), **{REPORT: text})


def _sell(target: Target, who: Visitor, number: int, formula: str, left: Left) -> None:
    """An account of somebody who wants to sell, and is taken, and all she may write of herself."""
    texts = {door: formula + mark for door, mark in MARKS.items()}
    contact = f"formula{number}@example.com"
    door = "/account/registration"
    registered = who.submit(who.get(door), door, contact=contact, password=people.PASSWORD)
    control(registered.path == "/account", f"a stranger can register, not {registered.status}")
    door = "/portal/application"
    told = {"name": texts[NAME], "introduction": texts[INTRODUCTION]}
    page = who.submit(who.get(door), door, **told)
    left.note(page, **{NAME: texts[NAME], INTRODUCTION: texts[INTRODUCTION]})
    with target.inside(), acting_as("system"):
        transaction(partial(joining.approve, _of(contact).id))
    door = "/portal/payout-accounts"
    page = who.submit(
        who.get(f"{door}/new?kind={AccountKind.BANK_CARD}"),
        door,
        holder=texts[HOLDER],
        bank=texts[BANK],
        account=paying_out.CARD,
        current=people.PASSWORD,
    )
    left.note(page, **{HOLDER: texts[HOLDER], BANK: texts[BANK]})
    door = "/portal/tax-profile"
    page = who.submit(
        who.get(door),
        door,
        name=texts[TAXPAYER],
        identity=paying_out.resident(800 + number).identity,
        current=people.PASSWORD,
    )
    left.note(page, **{TAXPAYER: texts[TAXPAYER]})


def _of(contact: str) -> Distributor:
    return session.scalars(
        sa.select(Distributor)
        .join(Person, Person.id == Distributor.person_id)
        .where(Person.contact_index == Contact.parse(contact).index)
    ).one()


def _pay_out() -> None:
    """Each of them earned something, and was paid: now she is in every file."""
    asked = []
    for number in range(len(FORMULAS)):
        holder = _of(f"formula{number}@example.com")
        for account in queries.active_accounts(holder.id):
            paying_out.credit(holder, GROSS)
            account = paying_out.age(account.id, paying_out.timedelta(days=4))
            asked.append(paying_out.approve(paying_out.ask(holder, GROSS, account)).id)
    paying_out.submit("bank_file")
    with acting_as("system"):
        for one in asked:
            transaction(partial(paying.confirm_by_hand, one, "20260000"))


def _files(target: Target, owner: Visitor) -> Iterator[Page]:
    """Every list of the console as a file, the bank's, the tax office's."""
    lists = re.findall(r'href="(/admin/[a-z/-]+)"', owner.get("/admin/").text)
    for address in dict.fromkeys(lists):
        page = owner.get(f"{address}?format=csv")
        if page.text.startswith("\ufeff"):
            yield page
    batches = re.findall(r'href="(/admin/payouts/[0-9A-Z-]+)"', owner.get("/admin/payouts").text)
    for template in TEMPLATES:
        yield owner.get(f"{batches[0]}/file?template={template}")
    yield owner.get(f"/admin/taxes/years/{clock.now().year}/file")


def _cells(page: Page) -> Iterator[str]:
    for row in csv.reader(io.StringIO(page.text.removeprefix("\ufeff"), newline="")):
        yield from row


def _is_formula(cell: str) -> bool:
    return cell.startswith(STARTS) and not IS_NUMBER.fullmatch(cell)


def _as_read(text: str) -> str:
    """As the shop may have tidied it."""
    return unicodedata.normalize("NFKC", text).strip()


def _formulas_in_papers(target: Target, owner: Visitor) -> int:
    """Cells of the settlement statements, as workbooks, that are formulas."""
    with target.inside():
        numbers = list(session.scalars(sa.select(SettlementStatement.number)))
    papers = [owner.get(f"/admin/settlements/{number}/xlsx").body for number in numbers]
    cells = [
        cell
        for paper in papers
        for sheet in openpyxl.load_workbook(io.BytesIO(paper))
        for row in sheet.iter_rows()
        for cell in row
        if cell.value is not None
    ]
    texts = {_as_read(str(cell.value)) for cell in cells}
    control(_as_read(FORMULAS[-1] + MARKS[TAXPAYER]) in texts, "the taxpayer is in her statement")
    return sum(cell.data_type == "f" for cell in cells)
