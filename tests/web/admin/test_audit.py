"""The audit log is readable: who, what, to what, why; and every act has its words."""

import ast
import importlib
import pkgutil
import re
from pathlib import Path

import pytest
from flask import Flask

from app.core import audit, audit_chain
from app.core.actors import acting_as
from app.core.db import transaction
from app.domain.accounts.models import Role
from app.web.admin.audit_words import ACTIONS, SUBJECTS
from app.web.admin.listing import Listing
from tests import people
from tests.web.visitors import Visitor, words

APP = Path(__file__).parents[3] / "app"


def recorded() -> set[tuple[str, str]]:
    """(action, subject) of every audit.record(…) in the code that names them outright."""
    found = set()
    texts = (path.read_text() for path in APP.rglob("*.py"))
    for text in (text for text in texts if ".record(" in text):
        for node in ast.walk(ast.parse(text)):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr == "record"
                and len(node.args) >= 2
                and all(isinstance(argument, ast.Constant) for argument in node.args[:2])
            ):
                found.add(tuple(argument.value for argument in node.args[:2]))  # type: ignore[attr-defined]
    return found


def test_every_act_has_its_words() -> None:
    found = recorded()
    assert len(found) >= 20
    assert {action for action, _ in found} - set(ACTIONS) == set()
    assert {subject for _, subject in found} - set(SUBJECTS) == set()


def test_every_list_that_can_be_exported_has_its_words() -> None:
    package = importlib.import_module("app.web.admin")
    lists = {
        found.name
        for module in pkgutil.iter_modules(package.__path__)
        for found in vars(importlib.import_module(f"app.web.admin.{module.name}")).values()
        if isinstance(found, Listing) and found.export_permission
    }
    assert {"audit", "people"} <= lists
    assert {f"{name}.export" for name in lists} - set(ACTIONS) == set()
    assert lists - set(SUBJECTS) == set()


@pytest.fixture
def owner(app: Flask) -> Visitor:
    return Visitor(app, people.make(Role.OWNER))


def test_an_entry_says_who_what_and_why(owner: Visitor) -> None:
    support = people.make(Role.SUPPORT)
    with acting_as(f"person:{support.id}"):
        transaction(
            lambda: audit.record(
                "code.reveal", "codes", 42, reason="买家说看不到 <b>", ip="198.51.100.7",
                state=["sold", "void"],
            )
        )  # fmt: skip
    page = owner.get("/admin/audit?action=code.reveal")
    text = words(page)
    for part in (support.name, "查看卡密明文", "卡密", "#42", "198.51.100.7", "state: sold → void"):
        assert part in text
    assert "&lt;b&gt;" in page.text


def test_it_is_filtered_by_who_did_it(owner: Visitor) -> None:
    support = people.make(Role.SUPPORT)
    for actor in (f"person:{support.id}", "system", "channel:sandbox", "guest"):
        with acting_as(actor):
            transaction(lambda: audit.record("product.change", "products", 1))
    counts = {
        by: re.search(r"共 (\d+) 条", words(owner.get(f"/admin/audit?by={by}")))
        for by in ("person", "system", "guest")
    }
    assert {by: found and found.group(1) for by, found in counts.items()} == {
        "person": "1", "system": "2", "guest": "1",
    }  # fmt: skip


def test_the_number_of_a_thing_finds_what_was_done_to_it(owner: Visitor) -> None:
    for number in (7, 77):
        transaction(lambda number=number: audit.record("product.change", "products", number))  # type: ignore[misc]
    assert "共 1 条" in words(owner.get("/admin/audit?q=77&subject=products"))


def test_an_entry_is_found_by_its_own_number(owner: Visitor) -> None:
    """By which `flask audit` names it."""
    for _ in range(3):
        transaction(lambda: audit.record("product.change", "products", 70))
    page = words(owner.get("/admin/audit?q=2&subject=products"))
    assert "共 1 条" in page and "第 2 条" in page


@pytest.mark.parametrize("role", [Role.SUPPORT, Role.OPERATOR, Role.FINANCE])
def test_it_is_for_owners_and_auditors(app: Flask, role: Role) -> None:
    assert Visitor(app, people.make(role)).get("/admin/audit").status_code == 403


def test_an_auditor_may_read_it(app: Flask) -> None:
    assert Visitor(app, people.make(Role.AUDITOR)).get("/admin/audit").status_code == 200


def test_the_page_has_the_anchor_to_copy(owner: Visitor) -> None:
    transaction(lambda: audit.record("batch.freeze", "batches", 7, reason="怀疑泄漏"))
    assert "封存与锚点" not in words(owner.get("/admin/audit"))
    audit_chain.seal_all()
    head = audit_chain.head()
    assert head is not None
    page = words(owner.get("/admin/audit"))
    assert head.text in page and f"已封存 {head.seq} 条" in page
