"""What the merchant decides: saved, checked, and shown to buyers at once."""

import pytest
import sqlalchemy as sa
from flask import Flask

from app.core.audit import AuditEntry
from app.core.db import session, transaction
from app.core.outbox import OutboxRow
from app.domain.accounts.models import Role, Session
from app.domain.catalog import preferences
from app.domain.catalog.models import Preference
from app.domain.messages import anchoring
from tests import people
from tests.web.visitors import Visitor, location, words

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

FORM = {
    "name": "小满的店", "support": "微信 abc", "announcement": "", "accent": "indigo",
    "zone": "Asia/Tokyo", "hold_minutes": "20", "low_stock_at": "5",
}  # fmt: skip


@pytest.fixture
def owner(app: Flask) -> Visitor:
    return Visitor(app, people.make(Role.OWNER))


def test_saved_and_shown(owner: Visitor) -> None:
    assert location(owner.post("/admin/settings", FORM)) == "/admin/settings"
    page = owner.get("/account/sign-in")
    assert "小满的店" in words(owner.get("/admin/settings"))
    assert 'data-accent="indigo"' in owner.get("/admin/settings").text
    assert page.status_code == 303
    entry = session.scalars(sa.select(AuditEntry).order_by(AuditEntry.id.desc())).first()
    assert entry is not None
    assert entry.detail["hold_minutes"] == [15, 20]


def test_the_form_has_what_another_process_has_just_saved(owner: Visitor) -> None:
    """Else the next save would silently take it back."""
    owner.get("/admin/settings")
    transaction(lambda: session.add(Preference(name="announcement", value="周末照常发货")))

    assert "周末照常发货" in words(owner.get("/admin/settings"))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"name": " "}, "店名要有"), ({"zone": "Moon/Base"}, "没有这个时区"),
        ({"hold_minutes": "1"}, "5 到 120"), ({"hold_minutes": "soon"}, "5 到 120"),
        ({"accent": "pink"}, "请选择一种颜色"), ({"low_stock_at": "-1"}, "0 到 100,000"),
        ({"support": "长" * 501}, "最多 500 个字"),
    ],
)  # fmt: skip
def test_a_rule_says_no_and_keeps_what_was_typed(
    owner: Visitor, change: dict[str, str], sentence: str
) -> None:
    response = owner.post("/admin/settings", FORM | change)
    assert response.status_code == 422
    assert sentence in words(response)
    assert 'value="20"' in response.text or "hold_minutes" in change
    assert preferences.get().name == preferences.DEFAULTS.name


def test_messages_are_switched_off_and_on(owner: Visitor) -> None:
    assert preferences.DEFAULTS.messages
    for value, is_on in (("off", False), ("on", True)):
        owner.post("/admin/settings", FORM | {"messages": value})
        session.rollback()
        session.expire_all()
        preferences.forget()
        assert preferences.get().messages is is_on
        assert f'value="{value}" selected' in owner.get("/admin/settings").text
    assert "邮件：只写入日志；短信：只写入日志" in words(owner.get("/admin/settings"))


def test_the_bank_account_wants_a_fresh_proof(app: Flask, owner: Visitor) -> None:
    form = {"bank_account": "户名：小满"}
    transaction(lambda: session.execute(sa.update(Session).values(stepped_up_at=None)))
    assert location(owner.post("/admin/settings/bank-account", form)).startswith("/admin/step-up")
    assert preferences.get().bank_account == ""
    fresh = Visitor(app, people.make(Role.OWNER))
    assert location(fresh.post("/admin/settings/bank-account", form)) == "/admin/settings"
    preferences.forget()
    assert preferences.get().bank_account == "户名：小满"


def test_the_anchor_is_sent_out_once_it_is_switched_on(app: Flask, owner: Visitor) -> None:
    refused = owner.post(
        "/admin/settings/anchor", {"anchor_mail": "on", "anchor_to": "13900001111"}
    )
    assert refused.status_code == 422
    assert "请填写完整的邮箱" in words(refused)
    form = {"anchor_mail": "on", "anchor_to": "me@outside.example"}
    assert location(owner.post("/admin/settings/anchor", form)) == "/admin/settings"
    preferences.forget()
    assert preferences.get().anchor_mail and preferences.get().anchor_to == "me@outside.example"
    session.rollback()
    keys = session.scalars(sa.select(OutboxRow.key))
    assert anchoring.WATCH_KEY in set(keys)
    assert 'value="me@outside.example"' in owner.get("/admin/settings").text


def test_the_general_form_does_not_reach_the_bank_account(owner: Visitor) -> None:
    owner.post("/admin/settings", FORM | {"bank_account": "户名：骗子"})
    preferences.forget()
    assert preferences.get().bank_account == ""


@pytest.mark.parametrize("role", [Role.OPERATOR, Role.SUPPORT, Role.FINANCE, Role.AUDITOR])
def test_others_may_look(app: Flask, role: Role) -> None:
    visitor = Visitor(app, people.make(role))
    page = visitor.get("/admin/settings")
    assert page.status_code == 200
    assert "只有店主可以更改设置" in words(page)
    assert visitor.post("/admin/settings", FORM).status_code == 403
