"""Members: invited, changed, sent home; each act with its reason, its proof, its audit row."""

import re

import pytest
import sqlalchemy as sa
from flask import Flask

from app.core.audit import AuditEntry
from app.core.db import session
from app.domain.accounts import queries, sessions
from app.domain.accounts.models import Person, PersonState, Role
from tests import people
from tests.web.visitors import Visitor, location, words


@pytest.fixture
def owner(app: Flask) -> Visitor:
    return Visitor(app, people.make(Role.OWNER, contact="owner@example.com"))


def fresh(person: Person) -> Person:
    session.rollback()
    return queries.find(person.uid)


def last_audit() -> AuditEntry:
    session.rollback()
    entry = session.scalars(sa.select(AuditEntry).order_by(AuditEntry.id.desc())).first()
    assert entry is not None
    return entry


def test_the_list_shows_members_and_buyers_when_asked(app: Flask, owner: Visitor) -> None:
    people.make(Role.SUPPORT, contact="support@example.com")
    people.make(contact="13812345678")
    page = words(owner.get("/admin/people"))
    assert "s***@example.com" in page
    assert "138****5678" not in page
    page = words(owner.get("/admin/people?role=buyer"))
    assert "138****5678" in page
    assert "s***@example.com" not in page


def test_it_is_searched_by_name_and_by_whole_contact(app: Flask, owner: Visitor) -> None:
    people.make(Role.SUPPORT, contact="support@example.com")
    people.make(Role.FINANCE, contact="finance@example.com")
    assert "共 1 条" in words(owner.get("/admin/people?q=FINANCE%40example.com"))
    assert "共 3 条" in words(owner.get("/admin/people?q=%E6%88%90%E5%91%98"))
    assert "共 0 条" in words(owner.get("/admin/people?q=%25"))


def test_the_matrix_is_on_the_page(owner: Visitor) -> None:
    page = words(owner.get("/admin/people"))
    assert "谁能做什么" in page
    assert "确认转账到账" in page


def test_an_invitation_shows_its_link_once(app: Flask, owner: Visitor) -> None:
    form = {"name": "王小明", "contact": "new@example.com", "role": "support"}
    page = owner.post("/admin/people", form)
    found = re.search(r'data-testid="invitation-link">([^<]+)<', page.text)
    assert found is not None
    assert found.group(1).startswith("http://localhost/account/invitation/")
    assert page.headers["Cache-Control"] == "no-store"
    assert "新密码" in words(Visitor(app).get(found.group(1).removeprefix("http://localhost")))
    entry = last_audit()
    assert entry.action == "person.invite"
    assert found.group(1).rpartition("/")[2] not in str(vars(entry))


def test_a_forged_host_does_not_get_into_the_link(owner: Visitor) -> None:
    form = {"name": "王小明", "contact": "new@example.com", "role": "support"}
    page = owner.post("/admin/people", form, headers={"X-Forwarded-Host": "evil.example"})
    assert "evil.example" not in page.text


@pytest.mark.parametrize(
    ("form", "sentence"),
    [
        ({"name": "", "contact": "a@b.cn", "role": "support"}, "姓名要有"),
        ({"name": "王", "contact": "x", "role": "support"}, "手机号不对"),
        ({"name": "王", "contact": "a@b.cn", "role": "god"}, "请选择一个角色"),
        ({"name": "王", "contact": "owner@example.com", "role": "support"}, "已经是成员"),
    ],
)
def test_a_bad_invitation_comes_back(owner: Visitor, form: dict[str, str], sentence: str) -> None:
    response = owner.post("/admin/people", form)
    assert response.status_code == 422
    assert sentence in words(response)


def test_a_page_of_one_person(app: Flask, owner: Visitor) -> None:
    person = people.make(Role.SUPPORT)
    people.sign_in(person)
    page = owner.get(f"/admin/people/{person.uid}")
    assert "Android · Chrome" in words(page)
    assert owner.get("/admin/people/nobody").status_code == 404


def test_roles_change_with_a_reason(app: Flask, owner: Visitor) -> None:
    person = people.make(Role.SUPPORT)
    path = f"/admin/people/{person.uid}/role"
    assert owner.post(path, {"role": "finance"}).status_code == 422
    assert fresh(person).role == Role.SUPPORT
    assert location(owner.post(path, {"role": "finance", "reason": "换岗"})).endswith(person.uid)
    assert fresh(person).role == Role.FINANCE
    assert (last_audit().action, last_audit().reason) == ("person.role", "换岗")


def test_the_last_owner_is_told_why_not(app: Flask, owner: Visitor) -> None:
    mine = session.scalars(sa.select(Person).where(Person.role == Role.OWNER)).one()
    for path, form in (
        (f"/admin/people/{mine.uid}/disablement", {"reason": "测试"}),
        (f"/admin/people/{mine.uid}/role", {"reason": "测试", "role": "support"}),
    ):
        response = owner.post(path, form)
        assert response.status_code == 409
        assert "唯一的店主" in words(response)


def test_sent_home_and_back(app: Flask, owner: Visitor) -> None:
    person = people.make(Role.SUPPORT)
    theirs = Visitor(app, person)
    assert theirs.get("/admin/").status_code == 200
    owner.post(f"/admin/people/{person.uid}/disablement", {"reason": "离职"})
    assert theirs.get("/admin/").status_code == 303
    owner.post(f"/admin/people/{person.uid}/disablement/deletion", {"reason": "回来"})
    assert fresh(person).state == PersonState.ACTIVE
    assert theirs.get("/admin/").status_code == 303


def test_phone_lost_sessions_ended_new_link(app: Flask, owner: Visitor) -> None:
    person = people.make(Role.SUPPORT)
    secret = people.sign_in(person)
    owner.post(f"/admin/people/{person.uid}/sessions/deletion", {"reason": "网吧"})
    assert sessions.find(secret) is None
    owner.post(f"/admin/people/{person.uid}/second-factor/deletion", {"reason": "手机丢了"})
    assert fresh(person).totp_sealed is None
    page = owner.post(f"/admin/people/{person.uid}/invitation", {"reason": "忘了密码"})
    assert "/account/invitation/" in page.text


def test_an_auditor_sees_and_does_nothing(app: Flask) -> None:
    person = people.make(Role.SUPPORT)
    auditor = Visitor(app, people.make(Role.AUDITOR))
    page = auditor.get(f"/admin/people/{person.uid}")
    assert page.status_code == 200
    assert "停用账号" not in words(page)
    path = f"/admin/people/{person.uid}/disablement"
    assert auditor.post(path, {"reason": "测试"}).status_code == 403
