"""Applying, being invited, being decided about; and how far up an order is ever asked about."""

from datetime import timedelta
from functools import partial

import pytest
import sqlalchemy as sa
import time_machine
from flask import Flask
from sqlalchemy.exc import DBAPIError

from app.core import clock
from app.core.actors import acting_as
from app.core.audit import AuditEntry
from app.core.db import session, transaction
from app.core.errors import Conflict, NotFound, Refusal
from app.core.outbox import OutboxRow
from app.core.states import StateChange
from app.domain.accounts.models import Role
from app.domain.channels import joining, queries, tiers
from app.domain.channels.joining import Application
from app.domain.channels.models import (
    MAX_DEPTH,
    Distributor,
    DistributorInvitation,
    DistributorState,
    Tier,
)
from tests import people, sellers

APPLIED, ACTIVE, SUSPENDED, REFUSED = DistributorState
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def test_from_the_application_to_selling_and_back(app: Flask) -> None:
    one = sellers.apply()
    assert (one.state, one.parent_id, one.tier.threshold) == (APPLIED, None, 0)

    transaction(lambda: joining.refuse(one.id, "请写清楚在哪里卖"))
    assert (sellers.fresh(one.id).state, sellers.fresh(one.id).state_reason) == (
        REFUSED,
        "请写清楚在哪里卖",
    )
    transaction(lambda: joining.apply(one.person_id, Application("阿岚二号", "三个同学群")))
    assert (sellers.fresh(one.id).name, sellers.fresh(one.id).state_reason) == ("阿岚二号", "")
    transaction(lambda: joining.approve(one.id))
    transaction(lambda: joining.suspend(one.id, "虚假宣传"))
    assert sellers.fresh(one.id).state_reason == "虚假宣传"
    transaction(lambda: joining.restore(one.id, "已经改正"))

    now = sellers.fresh(one.id)
    assert (now.state, now.state_reason, now.code) == (ACTIVE, "", one.code)
    assert now.approved_at is not None
    steps = session.scalars(
        sa.select(StateChange.to_state)
        .where(StateChange.subject == "distributors")
        .order_by(StateChange.id)
    )
    assert list(steps) == [APPLIED, REFUSED, APPLIED, ACTIVE, SUSPENDED, ACTIVE]
    acts = session.scalars(
        sa.select(AuditEntry.action)
        .where(AuditEntry.subject == "distributors")
        .order_by(AuditEntry.id)
    )
    assert list(acts) == [
        f"distributor.{verb}"
        for verb in ("apply", "refuse", "apply", "approve", "suspend", "restore")
    ]
    watch = session.scalars(sa.select(OutboxRow).where(OutboxRow.key == tiers.WATCH_KEY)).one()
    assert watch.due_at > clock.now()


@on_sqlite
def test_what_is_not_open_any_more_is_refused(app: Flask) -> None:
    one = sellers.apply()
    for decide in (
        lambda: joining.suspend(one.id, "原因原因"),
        lambda: joining.restore(one.id, "原因原因"),
        lambda: joining.apply(one.person_id, Application("阿岚", "群里")),
    ):
        with pytest.raises(Conflict):
            transaction(decide)
    for decide in (lambda: joining.refuse(one.id, " "), lambda: joining.refuse(one.id, "x")):
        with pytest.raises(Refusal, match="请写明原因"):
            transaction(decide)
    person_id = people.make().id
    for application, field in (
        (Application(" ", "同学群"), "name"),
        (Application("长" * 31, "同学群"), "name"),
        (Application("阿岚", " 群 "), "introduction"),
        (Application("阿岚", "长" * 501), "introduction"),
    ):
        with pytest.raises(Refusal) as refused:
            transaction(partial(joining.apply, person_id, application))
        assert refused.value.field == field
    assert sellers.fresh(one.id).state == APPLIED


@on_sqlite
def test_nobody_decides_about_herself(app: Flask) -> None:
    operator = people.make(Role.OPERATOR)
    one = sellers.apply(person=operator)
    with acting_as(f"person:{operator.id}"), pytest.raises(Conflict, match="不能处理自己"):
        transaction(lambda: joining.approve(one.id))
    with acting_as(f"person:{people.make(Role.OWNER).id}"):
        transaction(lambda: joining.approve(one.id))
    assert sellers.fresh(one.id).state == ACTIVE


def test_an_invitation_sets_parent_and_tier_once(app: Flask) -> None:
    parent = sellers.join()
    gold = transaction(lambda: tiers.create(tiers.TierFields("金牌", 500_000)))
    made = transaction(lambda: joining.invite_for_shop(parent.code.lower(), gold.id))
    token = made.token.reveal()
    asked = Application("小北", "宿舍楼")

    first, second = people.make().id, people.make().id

    child = transaction(lambda: joining.apply(first, asked, token))
    assert (child.parent_id, child.tier_id, child.state) == (parent.id, gold.id, APPLIED)
    with pytest.raises(NotFound):
        transaction(lambda: joining.apply(second, asked, token))
    kept = session.scalars(sa.select(DistributorInvitation)).one()
    assert kept.used_by_id == child.id
    assert token.encode() not in kept.token_hash


@on_sqlite
def test_a_link_ends_after_a_week_or_with_its_parent(app: Flask) -> None:
    parent, asked = sellers.join(), Application("小北", "宿舍楼")
    old, late = sellers.token_of(parent), people.make().id
    with (
        time_machine.travel(clock.now() + joining.INVITATION_LASTS + timedelta(seconds=1)),
        pytest.raises(NotFound),
    ):
        transaction(lambda: joining.apply(late, asked, old))
    transaction(lambda: joining.suspend(parent.id, "虚假宣传"))
    with pytest.raises(NotFound):
        transaction(lambda: joining.apply(late, asked, old))
    with pytest.raises(Conflict, match="只有合作中"):
        transaction(lambda: joining.invite(parent.id))
    with pytest.raises(Refusal) as refused:
        transaction(lambda: joining.invite_for_shop(parent.code))
    assert refused.value.field == "parent_code"
    transaction(lambda: joining.restore(parent.id, "已经改正"))
    assert transaction(lambda: joining.apply(late, asked, old)).parent_id == parent.id


@on_sqlite
def test_unused_links_are_limited(app: Flask) -> None:
    parent = sellers.join()
    for _ in range(joining.MOST_OPEN_INVITATIONS):
        sellers.token_of(parent)
    with pytest.raises(Conflict, match="没用的邀请链接"):
        sellers.token_of(parent)


def test_a_parent_is_fixed_at_the_first_application(app: Flask) -> None:
    first, second = sellers.join("甲"), sellers.join("乙")
    child = sellers.apply("丙", first)
    transaction(lambda: joining.refuse(child.id, "再写清楚些"))
    asked, other, same = (
        Application("丙", "宿舍楼"),
        sellers.token_of(second),
        sellers.token_of(first),
    )
    with pytest.raises(Conflict, match="上级在第一次申请时"):
        transaction(lambda: joining.apply(child.person_id, asked, other))
    assert transaction(lambda: joining.apply(child.person_id, asked, same)).parent_id == first.id
    with pytest.raises(DBAPIError):
        transaction(
            lambda: session.execute(
                sa.update(Distributor).where(Distributor.id == child.id).values(parent_id=second.id)
            )
        )
    session.rollback()


@on_sqlite
def test_no_more_than_two_are_asked_about_an_order_however_long_the_line(app: Flask) -> None:
    """Four who joined by each other: the law counts levels, so the shop does."""
    line = sellers.chain(4)
    assert [one.parent_id for one in line] == [None, *(one.id for one in line[:-1])]
    assert MAX_DEPTH == 2
    assert sellers.asked_about(line[0]) == [line[0].id]
    for child, parent in zip(line[1:], line, strict=False):
        assert sellers.asked_about(child) == [child.id, parent.id]


@on_sqlite
def test_nobody_takes_the_place_of_one_who_is_suspended(app: Flask) -> None:
    """Else her parent would be paid for the sales of a third level."""
    line = sellers.chain(3)
    transaction(lambda: joining.suspend(line[1].id, "虚假宣传"))
    session.expire_all()
    asked = queries.line_of(line[2].id)
    assert [(one.id, one.state) for one in asked] == [(line[2].id, ACTIVE), (line[1].id, SUSPENDED)]


def test_two_applications_at_once_are_one(app: Flask) -> None:
    parent = sellers.join()
    token, person_id = sellers.token_of(parent), people.make().id
    session.remove()

    def ask() -> int:
        asked = Application("小北", "宿舍楼")
        return transaction(lambda: joining.apply(person_id, asked, token)).id

    answers = people.at_once(app, [ask, ask])
    assert sorted(type(answer).__name__ for answer in answers) == ["Conflict", "int"]
    assert session.scalar(sa.select(sa.func.count(Tier.id))) == 1
