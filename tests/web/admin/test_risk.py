"""The console of risk: rules and their backtest, lists, restrictions, decisions, cases."""

import csv
import io
from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from flask import Flask

from app.core import clock
from app.core.db import session, transaction
from app.domain.accounts.models import Role
from app.domain.orders.models import Order, OrderState
from app.domain.risk import cases, conditions, lists, live_rules, pack, rule_changes, stopping
from app.domain.risk.models import (
    Case,
    CaseState,
    Checkpoint,
    Decision,
    EventKind,
    Key,
    Label,
    ListEntry,
    ListKind,
    Restriction,
    RuleMode,
    Subject,
)
from app.web import risk_words
from tests import factories, people
from tests.domain.risk import shopping
from tests.web.house import CROWDED, crowd
from tests.web.visitors import Visitor, location, words

pytestmark = [
    pytest.mark.parametrize("database_url", ["sqlite"], indirect=True),
    pytest.mark.usefixtures("audited", "rules"),
]
RULE = "/admin/risk/rules/new_account_high_value"
FORM = {
    "version": "1",
    "mode": "on",
    "threshold-0": "24",
    "threshold-1": "500",
    "minutes": "0",
    "rollout": "100",
    "expires_on": "",
}


@pytest.fixture
def rules(app: Flask) -> Iterator[None]:
    transaction(pack.install)
    live_rules.forget()
    yield
    live_rules.forget()


def held(phone: str = "", price: int = 60_000) -> Case:
    product = factories.make_product(codes=1, price=price)
    placed = shopping.order(product, phone=phone or None, device=factories.contact())
    assert placed.payment is not None
    factories.settle(placed.payment)
    case = cases.of_order(placed.order.id)
    assert case is not None
    return case


def test_a_rule_is_changed_and_remembers_what_it_said(app: Flask, owner: Visitor) -> None:
    listed = words(owner.get("/admin/risk/rules"))
    assert "买家首次付款或注册不满 24 小时，并且订单金额至少 ¥500，就先审核" in listed
    assert "1 小时内同一设备输错兑换码至少 10 次，就禁止 1 小时" in listed

    refused = owner.post(RULE, FORM | {"threshold-1": "0", "rollout": "101", "expires_on": "x"})
    assert refused.status_code == 422
    assert "请填写 ¥0.01 到 ¥10,000,000" in words(refused)
    assert 'value="101"' in refused.text
    assert owner.post(RULE, FORM | {"rollout": "101"}).status_code == 422
    assert owner.post(RULE, FORM | {"expires_on": "2020-01-01"}).status_code == 422

    changed = FORM | {"threshold-1": "800.50", "mode": "shadow", "expires_on": "2099-12-31"}
    assert location(owner.post(RULE, changed)) == RULE
    rule = rule_changes.find("new_account_high_value")
    session.refresh(rule)
    found = [one.threshold for one in conditions.comparisons(conditions.parse(rule.condition))]
    assert (found, rule.state, rule.version) == ([24, 80_050], RuleMode.SHADOW, 2)
    page = owner.get(RULE)
    assert 'value="2099-12-31"' in page.text
    assert 'value="800.50"' in page.text
    assert "订单金额至少 ¥800.50" in words(page)

    # Somebody else was first: what was typed is kept, and can be sent again knowingly.
    late = owner.post(RULE, FORM | {"threshold-0": "12"})
    assert late.status_code == 409
    assert 'name="version" value="2"' in late.text
    assert 'value="12"' in late.text

    support = Visitor(app, people.make(Role.SUPPORT))
    assert support.post(RULE, FORM).status_code == 403
    assert "<form" not in support.get(RULE).text.partition("<main")[2]


def test_a_draft_is_tried_beside_its_form(owner: Visitor) -> None:
    held()
    held(price=70_000)
    tried = owner.post(f"{RULE}/backtest", FORM | {"threshold-1": "650"})
    assert tried.status_code == 200
    assert "现在命中 2 次，改后命中 1 次" in words(tried)
    assert "¥ 700.00" in words(tried)
    assert 'value="650"' in tried.text
    assert owner.post(f"{RULE}/backtest", FORM | {"rollout": "x"}).status_code == 422
    assert rule_changes.find("new_account_high_value").version == 1


def test_lists_are_filled_by_hand_and_by_file(app: Flask, owner: Visitor) -> None:
    new = {
        "list": "block",
        "subject": "address",
        "value": "192.0.2.0/24",
        "reason": "=扫号",
        "days": "30",
    }
    assert location(owner.post("/admin/risk/lists", new)) == "/admin/risk/lists"
    again = owner.post("/admin/risk/lists", new)
    assert again.status_code == 409
    assert 'value="192.0.2.0/24"' in again.text
    assert owner.post("/admin/risk/lists", new | {"subject": "shoe"}).status_code == 422

    content = "list,type,value,reason\nwatch,contact,13900001234,争议\nblock,contact,1,刷单\n"
    sent = owner.post("/admin/risk/lists/file", {"file": (io.BytesIO(content.encode()), "x.csv")})
    assert sent.status_code == 200
    assert "1 行没有加入 其他 1 条已加入" in words(sent)
    assert owner.post("/admin/risk/lists/file", {}).status_code == 422

    # Found by an address within the network, and by a number that is only kept masked.
    assert "192.0.2.0/24" in owner.get("/admin/risk/lists?q=192.0.2.77").text
    by_phone = owner.get("/admin/risk/lists?q=13900001234").text
    assert "139****1234" in by_phone
    assert "192.0.2.0/24" not in by_phone
    file = owner.get("/admin/risk/lists?format=csv").text
    assert "139****1234" in file
    assert "'=扫号" in file

    entry = session.scalars(sa.select(ListEntry).order_by(ListEntry.id)).first()
    assert entry is not None
    for _ in range(2):
        owner.post(f"/admin/risk/lists/{entry.id}/removal")
    assert "192.0.2.0/24" not in owner.get("/admin/risk/lists").text
    support = Visitor(app, people.make(Role.SUPPORT))
    assert support.post("/admin/risk/lists", new).status_code == 403
    assert support.get("/admin/risk/lists?format=csv").status_code == 403


@pytest.mark.parametrize("language", ["zh", "en"])
def test_what_was_exported_brings_all_of_the_lists_back(owner: Visitor, language: str) -> None:
    owner.client.set_cookie("language", language)

    def fill() -> None:
        for number, kind in enumerate(ListKind):
            typed = (
                (Subject.ADDRESS, f"192.0.2.{number}"),
                (Subject.CONTACT, f"1390000{number:04d}"),
                (Subject.CONTACT, f"somebody{number}@example.com"),
                (Subject.EMAIL_DOMAIN, f"trash{number}.example"),
                (Subject.KEYWORD, "=1+1"),
                (Subject.KEYWORD, "'=1+1"),
                (Subject.KEYWORD, "'加微信"),
            )
            for subject, text in typed:
                if (subject, kind) != (Subject.KEYWORD, ListKind.TRUST):
                    lists.add(kind, lists.parse(subject, text), '=HYPERLINK(1),"再\n来"', 30)
            for key in lists.OF_KEY:
                known = lists.known_as(key, bytes([number, *range(15)]), "R2026")
                lists.add(kind, known, "R2026", 365, source="case")

    transaction(fill)
    before = on_the_lists()
    assert len(before) == 3 * 4 + 2 * 3 + 3 * 4
    file = owner.get("/admin/risk/lists?format=csv")
    rows = list(csv.reader(io.StringIO(file.text.removeprefix("\ufeff"))))
    assert {"校验值", "Check value"} & set(rows[0])
    assert not [cell for row in rows for cell in row if cell.startswith(("=", "+", "-", "@"))]
    for entry_id in session.scalars(sa.select(ListEntry.id)).all():
        transaction(lambda entry_id=entry_id: lists.remove(entry_id))  # type: ignore[misc]
    assert on_the_lists() == []

    sent = owner.post("/admin/risk/lists/file", {"file": (io.BytesIO(file.data), "x.csv")})

    assert location(sent) == "/admin/risk/lists", words(sent)
    assert on_the_lists() == before


def on_the_lists() -> list[tuple[object, ...]]:
    """The entries that hold, by what they say; their ends to the second, as a file has them."""
    session.rollback()
    session.expire_all()
    return sorted(
        (
            *(entry.list, entry.subject, entry.value_hash, entry.shown),
            *(
                entry.reason,
                entry.source,
                entry.expires_at and entry.expires_at.replace(microsecond=0),
            ),
        )
        for entry in lists.live(clock.now())
    )


def test_a_buyer_who_was_limited_is_looked_up_and_let_go(owner: Visitor) -> None:
    transaction(lambda: crowd(CROWDED))
    product = factories.make_product(codes=2)
    with pytest.raises(stopping.Stopped):
        shopping.order(product, ip=CROWDED)
    uid = session.scalars(sa.select(Decision.uid)).one()

    assert location(owner.get(f"/admin/risk/decisions?q={uid.lower()}")).endswith(uid)
    shown = words(owner.get(f"/admin/risk/decisions/{uid}"))
    assert "10 分钟内同一 IP 地址有至少 10 单没有付款 实际 10" in shown
    assert "限购" in shown
    assert "同一 IP 下单不付款，限购" in words(owner.get("/admin/risk/decisions"))
    assert uid in owner.get("/admin/risk").text

    listed = words(owner.get("/admin/risk/restrictions"))
    assert "10 分钟内同一 IP 地址有至少 10 单没有付款，就限购 1 小时" in listed
    held_by = session.scalars(sa.select(Restriction.id)).one()
    lifting = f"/admin/risk/restrictions/{held_by}/lifting"
    owner.post(lifting, {"reason": ""})
    assert session.scalars(sa.select(Restriction.lifted_at)).one() is None
    owner.post(lifting, {"reason": "是公司网络"})
    assert "现在没有人被限制" in words(owner.get("/admin/risk/restrictions"))


def test_ticked_cases_are_closed_together(owner: Visitor) -> None:
    phone = factories.contact()
    first, second, third = held(phone), held(phone), held()
    shown = words(owner.get(f"/admin/cases/{first.uid}"))
    assert "同一联系方式：1 个" in shown
    assert "订单金额至少 ¥500 · 实际 ¥600" in shown
    decision = session.get_one(Decision, first.decision_id)
    number = session.get_one(Order, first.order_id).number
    assert decision.uid in owner.get(f"/admin/orders/{number}").text

    assert "请先勾选订单" in words(owner.get(location(owner.post("/admin/cases/approvals", {}))))
    ticked = {"case": [first.uid, second.uid, first.uid, "none"], "note": "n" * 501}
    owner.post("/admin/cases/approvals", ticked)
    assert cases.count_open() == 3
    to = location(owner.post("/admin/cases/approvals", ticked | {"note": "电话核对", "trust": "1"}))
    answer = words(owner.get(to))
    assert "已放行 2 个订单" in answer
    assert "1 个刚刚已经处理过" in answer
    owner.post("/admin/cases/rejections", {"case": third.uid, "rejected_as": "abuse"})
    factories.work()

    session.expire_all()
    closed = session.scalars(sa.select(Case).order_by(Case.id)).all()
    assert [case.label for case in closed] == [
        *(Label.FALSE_POSITIVE, Label.FALSE_POSITIVE, Label.ABUSE)
    ]
    assert closed[0].note == "电话核对"
    assert closed[2].state == CaseState.REJECTED
    states = session.scalars(sa.select(Order.state).order_by(Order.id)).all()
    assert states == [OrderState.DELIVERED, OrderState.DELIVERED, OrderState.REFUNDING]


def test_who_looks_at_an_order_is_seen_and_nobody_comes_between(app: Flask, owner: Visitor) -> None:
    person = people.make(Role.SUPPORT)
    one, other = Visitor(app, person), Visitor(app, people.make(Role.OPERATOR))
    case, second = held(), held()
    page = f"/admin/cases/{case.uid}"

    assert location(one.post(f"{page}/assignment")) == page
    assert person.name in words(other.get("/admin/cases"))
    assert "放回" in words(one.get(page))
    # Whoever comes second is told who has it, by every way.
    shown = other.get(page)
    assert f"{person.name} 正在审核，放回以后别人才能处理" in words(shown)
    assert "/approval" not in shown.text
    for verb in ("assignment", "return", "approval"):
        late = other.post(f"{page}/{verb}")
        assert late.status_code == 409
        assert f"{person.name} 正在审核这个订单" in words(late)

    both = {"case": [case.uid, second.uid]}
    answer = words(other.get(location(other.post("/admin/cases/assignments", both))))
    assert "1 个订单由你来看" in answer
    assert "1 个正由别人审核" in answer
    assert "1 个正由别人审核" in words(
        other.get(location(other.post("/admin/cases/approvals", both | {"case": case.uid})))
    )
    # An owner goes between, and leaves it to nobody.
    assert "已放回 2 个订单" in words(owner.get(location(owner.post("/admin/cases/returns", both))))
    assert location(other.post(f"{page}/approval")) == "/admin/cases"
    session.rollback()
    assert [one.state for one in session.scalars(sa.select(Case).order_by(Case.id))] == [
        *(CaseState.APPROVED, CaseState.OPEN)
    ]


def test_whatever_a_rule_can_say_has_its_words(app: Flask) -> None:
    with app.test_request_context():
        assert set(risk_words.CHECKPOINTS) == set(Checkpoint)
        assert set(risk_words.KEYS) == set(risk_words.KEY_TITLES) == set(risk_words.OF) == set(Key)
        assert set(risk_words.COUNTS) == set(risk_words.KINDS) == set(EventKind)
        assert set(risk_words.FUNCTIONS) == set(conditions.FUNCTIONS) - {"count"}
        assert set(risk_words.FACT_TITLES) == set(conditions.FACTS)
        assert set(risk_words.SUBJECTS) == set(Subject)
        for fact in conditions.FACTS:
            for comparison in conditions.COMPARISONS:
                assert risk_words.sentence(conditions.parse({"fact": fact, comparison: 1}))
        windows = [risk_words.duration(minutes) for minutes in conditions.WINDOWS]
        assert windows == ["1 分钟", "10 分钟", "1 小时", "24 小时", "7 天", "30 天"]
