"""The audit log's anchor is sent out once a day, whatever is killed, and can be checked by."""

from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
import time_machine

from app.core import audit_chain, clock, outbox
from app.core.db import session, transaction
from app.core.errors import Refusal
from app.core.outbox import OutboxRow, OutboxState
from app.domain.accounts.models import Role
from app.domain.catalog import preferences
from app.domain.messages import anchoring, jobs
from app.providers import messages
from tests import people
from tests.domain.messages.conftest import Post
from tests.domain.messages.test_crashes import die_at, environment_of

DAY = timedelta(days=1)


def switch(**wanted: object) -> None:
    def change() -> None:
        preferences.change({"anchor_mail": True} | wanted)
        anchoring.watch()

    transaction(change)


def line_of(post: Post, number: int = -1) -> str:
    """The line that a letter carries."""
    text = str(post.server.mailbox.mails[number].get_payload(decode=True).decode())
    return next(line for line in text.splitlines() if line.startswith(f"{audit_chain.VERSION}:"))


def row() -> OutboxRow:
    session.rollback()
    session.expire_all()
    return session.scalars(sa.select(OutboxRow).where(OutboxRow.key == anchoring.WATCH_KEY)).one()


def test_the_owners_get_a_line_a_day_that_the_chain_leads_through(post: Post) -> None:
    people.make(Role.OWNER, contact="owner@example.com")
    people.make(Role.OWNER, contact="13900001111")
    people.make(Role.FINANCE)
    switch()

    post.work()
    anchoring_again()
    post.work(after=2 * DAY)

    assert post.server.mailbox.recipients == ["owner@example.com"] * 2
    assert all("操作日志的锚点" in subject for subject in post.subjects)
    first, second = (audit_chain.parse(line_of(post, number)) for number in (0, 1))
    assert first.seq < second.seq
    assert audit_chain.leads_through(first) and audit_chain.leads_through(second)
    assert (row().state, row().due_at > clock.now()) == (OutboxState.READY, True)


def anchoring_again() -> None:
    """The job is run once more on the same day, as after a lost lease."""
    for _ in range(2):
        jobs.anchor()
        session.rollback()


def test_it_goes_to_the_address_that_was_chosen(post: Post) -> None:
    people.make(Role.OWNER)
    switch(anchor_to="lawyer@outside.example")
    post.work()
    assert post.server.mailbox.recipients == ["lawyer@outside.example"]


def test_switched_off_nothing_is_sent_and_switched_on_again_it_is(post: Post) -> None:
    people.make(Role.OWNER)
    switch()
    switch(anchor_mail=False)
    post.work()
    assert post.subjects == []
    switch()
    post.work(after=DAY)
    assert len(post.subjects) == 1


@pytest.mark.parametrize(("point", "mails"), [("staff.intended", 0), ("staff.called", 1)])
def test_killed_half_way_the_next_one_is_tomorrows(
    post: Post, database_url: str, tmp_path: Path, point: str, mails: int
) -> None:
    people.make(Role.OWNER)
    switch()
    row_id = row().id
    session.rollback()

    die_at(point, row_id, post, environment_of(tmp_path, database_url))
    jobs.anchor()
    assert len(post.subjects) == mails

    with time_machine.travel(clock.now() + DAY, tick=True):
        outbox.run(row_id)
    assert len(post.subjects) == mails + 1


def test_without_a_way_to_write_nothing_is_said_to_have_been_sent(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    people.make(Role.OWNER)
    switch()
    with monkeypatch.context() as away:
        away.delitem(messages._senders, messages.EMAIL)
        jobs.anchor()
    session.rollback()
    post.work()
    assert len(post.subjects) == 1


@pytest.mark.parametrize("address", ["nobody", "13900001111", "a@b"])
def test_where_it_goes_is_an_e_mail_address(post: Post, address: str) -> None:
    with pytest.raises(Refusal) as refused:
        switch(anchor_to=address)
    assert refused.value.field == "anchor_to"


def test_the_next_morning_is_by_the_shops_clock(post: Post) -> None:
    with time_machine.travel("2026-03-01T23:30:00Z", tick=False):
        assert anchoring.next_morning(clock.now()).isoformat() == "2026-03-02T08:00:00+08:00"
    with time_machine.travel("2026-03-02T00:00:00Z", tick=False):
        assert anchoring.next_morning(clock.now()).isoformat() == "2026-03-03T08:00:00+08:00"
