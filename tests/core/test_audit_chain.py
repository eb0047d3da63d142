"""The audit log's chain: what is changed behind the shop's back is found, and cannot be mended."""

import json
import threading
from collections.abc import Callable
from datetime import timedelta

import pytest
import sqlalchemy as sa
from flask import Flask

import worker
from app.core import audit, audit_chain, clock, db
from app.core.audit_chain import AuditSeal, BadAnchor, Flaw, Verdict
from app.core.db import session, transaction
from app.invariants import trail

MINUTE = timedelta(minutes=1)
CHAIN = "the audit log says what was sealed"
SEALED = "every entry of the audit log is sealed in time"
INSERT = """INSERT INTO audit_log SELECT 99, '2026-01-01 00:00:00', actor, action, subject,
    subject_id, reason, ip, detail FROM audit_log WHERE id = 1"""
ANCHOR = "the audit log leads through the anchor"


def act(count: int = 1) -> None:
    """Somebody does something so many times, and it is written down."""

    def record() -> None:
        for number in range(count):
            audit.record("batch.freeze", "batches", number + 1, reason="怀疑泄漏", state=["a", "b"])

    transaction(record)


def as_administrator(*statements: str) -> None:
    """What whoever administers the database can do: no trigger and no foreign key is in the way."""
    session.rollback()
    with db.db.engine.connect() as connection:
        raw = connection.connection.driver_connection
        assert raw is not None
        if db.is_postgres():
            session.rollback()
            raw.execute("SET session_replication_role = replica")
            for statement in statements:
                raw.execute(statement)
            raw.execute("SET session_replication_role = DEFAULT")
        else:
            triggers = raw.execute(
                "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"
            ).fetchall()
            raw.execute("PRAGMA foreign_keys = OFF")
            for name, _sql in triggers:
                raw.execute(f"DROP TRIGGER {name}")
            for statement in statements:
                raw.execute(statement)
            for _name, sql in triggers:
                raw.execute(sql)
            raw.execute("PRAGMA foreign_keys = ON")
    session.expire_all()


def breaches(line: str | None = None) -> dict[str, int]:
    """What invariant 10 finds."""
    db.see_one_moment()
    found = {CHAIN: trail.chain_is_whole(True)[1], SEALED: trail.entries_are_sealed(True)[1]}
    if line:
        found[ANCHOR] = int(not audit_chain.leads_through(audit_chain.parse(line)))
    session.rollback()
    return {name: count for name, count in found.items() if count}


def named() -> list[tuple[Flaw, int | None, int | None]]:
    """The places that invariant 10 names: what is wrong there, the seal, the entry."""
    db.see_one_moment()
    found = trail.chain_is_whole(True)[2] + trail.entries_are_sealed(True)[2]
    session.rollback()
    return [(one.flaw, one.seq, one.entry_id) for one in found]


def verdict(*, full: bool) -> Verdict:
    db.see_one_moment()
    return audit_chain.verify(full=full)


@pytest.fixture
def sealed(app: Flask) -> str:
    """Six entries that are sealed, three at a time; the anchor after them."""
    for _ in range(2):
        act(3)
        assert audit_chain.seal() == 3
    head = audit_chain.head()
    assert head is not None and head.seq == 6
    assert breaches(head.text) == {}
    return head.text


@pytest.mark.parametrize(
    ("_case", "tampering", "found", "first"),
    [
        (
            "edited",
            ["UPDATE audit_log SET actor = 'person:9' WHERE id = 3"],
            {CHAIN: 1},
            [(Flaw.UNFIT, 3, 3)],
        ),
        (
            "edited detail",
            ["UPDATE audit_log SET detail = '{}' WHERE id = 1"],
            {CHAIN: 1},
            [(Flaw.UNFIT, 1, 1)],
        ),
        ("deleted", ["DELETE FROM audit_log WHERE id = 2"], {CHAIN: 1}, [(Flaw.GONE, 2, 2)]),
        (
            "deleted with its seal",
            ["DELETE FROM audit_seals WHERE seq = 2", "DELETE FROM audit_log WHERE id = 2"],
            # The number is missing, and the next seal fits to nothing.
            {CHAIN: 2},
            [(Flaw.MISSING, 2, None), (Flaw.UNFIT, 3, 3)],
        ),
        (
            "deleted, and the rest moved up",
            [
                "DELETE FROM audit_seals WHERE seq = 2",
                "DELETE FROM audit_log WHERE id = 2",
                *(f"UPDATE audit_seals SET seq = {n - 1} WHERE seq = {n}" for n in (3, 4, 5, 6)),
            ],
            {CHAIN: 4},
            [(Flaw.UNFIT, seq, seq + 1) for seq in (2, 3, 4, 5)],
        ),
        ("put in later", [INSERT], {SEALED: 1}, [(Flaw.UNSEALED, None, 99)]),
        (
            "re-ordered",
            [
                "UPDATE audit_seals SET entry_id = 77 WHERE seq = 2",
                "UPDATE audit_seals SET entry_id = 2 WHERE seq = 3",
                "UPDATE audit_seals SET entry_id = 3 WHERE seq = 2",
            ],
            {CHAIN: 2},
            [(Flaw.UNFIT, 2, 3), (Flaw.UNFIT, 3, 2)],
        ),
        (
            "silenced",
            ["UPDATE audit_seals SET entry_id = NULL WHERE seq = 4"],
            {CHAIN: 1},
            [(Flaw.UNFIT, 4, None)],
        ),
    ],
)
def test_what_an_administrator_changes_is_found_and_named(
    sealed: str,
    _case: str,
    tampering: list[str],
    found: dict[str, int],
    first: list[tuple[Flaw, int | None, int | None]],
) -> None:
    with pytest.raises(sa.exc.DatabaseError):
        transaction(lambda: session.execute(sa.text(tampering[0].replace("INSERT", "UPDATE x"))))
    as_administrator(*tampering)

    # Sealing afterwards mends nothing.
    audit_chain.seal_all()
    assert breaches() == found
    assert named() == first


def test_the_first_few_are_named_and_all_are_counted(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    act(20)
    audit_chain.seal_all()
    monkeypatch.setattr(audit_chain, "MOST_READ", 6)
    as_administrator(
        "DELETE FROM audit_seals WHERE seq IN (2, 3, 5)",
        "DELETE FROM audit_log WHERE id IN (7, 8)",
        "UPDATE audit_log SET reason = 'x' WHERE id > 15",
    )

    assert verdict(full=False).broken == 10
    assert [(one.flaw, one.seq, one.entry_id) for one in verdict(full=False).first] == [
        (Flaw.MISSING, 2, None),
        (Flaw.MISSING, 5, None),
        (Flaw.GONE, 7, 7),
        (Flaw.GONE, 8, 8),
        (Flaw.UNFIT, 16, 16),
    ]


def test_a_chain_that_was_cut_off_or_made_anew_no_longer_leads_through_its_anchor(
    sealed: str,
) -> None:
    as_administrator("DELETE FROM audit_seals WHERE seq > 4", "DELETE FROM audit_log WHERE id > 4")
    # By itself a shorter chain is as good as a longer one.
    assert breaches() == {}
    assert breaches(sealed) == {ANCHOR: 1}

    # Whoever has the keys, too, can make one that fits, of what never happened.
    as_administrator("DELETE FROM audit_seals", "UPDATE audit_log SET actor = 'person:9'")
    act(2)
    audit_chain.seal_all()
    head = audit_chain.head()
    assert head is not None and head.seq == 6
    assert breaches() == {} and breaches(head.text) == {}
    assert breaches(sealed) == {ANCHOR: 1}


def test_an_anchor_is_of_this_shop_and_whole(sealed: str) -> None:
    version, seq, at, hash_, mac = sealed.split(":")
    assert audit_chain.parse(f" {sealed}\n").text == sealed
    for line in (
        "",
        "v1:6",
        sealed[:-1],
        f"{version}:5:{at}:{hash_}:{mac}",
        f"{version}:{seq}:{at}:{'0' * 64}:{mac}",
        f"v2:{seq}:{at}:{hash_}:{mac}",
        f"{version}:{seq}:20260101T000000.000000Z:{hash_}:{mac}",
    ):
        with pytest.raises(BadAnchor):
            audit_chain.parse(line)


def test_what_is_dated_back_is_not_sealed_even_where_all_is_quiet(
    sealed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = clock.now()

    def at(minutes: float) -> None:
        monkeypatch.setattr(clock, "now", lambda: real + minutes * MINUTE)

    at(61)
    assert audit_chain.seal() == 0
    # A seal of nothing says that nothing happened; the next is an hour later.
    assert audit_chain.seal() == 0
    head = audit_chain.head()
    assert head is not None and head.seq == 7
    at(20)
    act()
    at(65)
    act()
    assert audit_chain.seal() == 1
    at(80)

    assert breaches() == {SEALED: 1}
    # An entry of a slow unit comes a little late, and is sealed like any other.
    at(62)
    act()
    at(80)
    assert audit_chain.seal() == 1
    assert breaches(sealed) == {SEALED: 1}


def test_while_nothing_seals_the_audit_says_so_and_catches_up(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    act(3)
    assert breaches() == {}
    real = clock.now()
    monkeypatch.setattr(clock, "now", lambda: real + 11 * MINUTE)
    assert breaches() == {SEALED: 3}

    monkeypatch.setattr(audit_chain, "PER_UNIT", 2)
    audit_chain.seal_all()

    assert breaches() == {}
    assert session.scalars(sa.select(AuditSeal.seq).order_by(AuditSeal.seq)).all() == [1, 2, 3]


def test_only_the_newest_are_read_unless_all_are_asked_for(
    sealed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_chain, "MOST_READ", 2)
    assert verdict(full=False) == Verdict(6, 0)
    as_administrator("UPDATE audit_log SET reason = 'x' WHERE id = 1")
    assert verdict(full=False).broken == 0
    assert verdict(full=True).broken == 1
    as_administrator("DELETE FROM audit_log WHERE id = 1")
    assert verdict(full=False).broken == 1


def test_several_relays_make_one_chain(app: Flask) -> None:
    """Each from a connection of its own, while entries keep coming."""
    wanted = 60
    stop = threading.Event()
    faults: list[Exception] = []

    def in_context(work: Callable[[], object]) -> threading.Thread:
        def run() -> None:
            with app.app_context():
                try:
                    work()
                except Exception as fault:  # noqa: BLE001  told to the test's own thread
                    faults.append(fault)
                finally:
                    session.remove()

        return threading.Thread(target=run)

    def keep_sealing() -> None:
        while not stop.is_set():
            worker.seal_once()

    sealers = [in_context(keep_sealing) for _ in range(3)]
    writers = [in_context(lambda: [act() for _ in range(wanted // 2)]) for _ in range(2)]
    for thread in (*sealers, *writers):
        thread.start()
    for thread in writers:
        thread.join()
    stop.set()
    for thread in sealers:
        thread.join()
    audit_chain.seal_all()

    assert faults == []
    assert verdict(full=True) == Verdict(wanted, 0)
    assert audit_chain.count_overdue() == (wanted, 0)
    # The threads' connections are no use to the next test, whose database is another.
    session.remove()
    db.db.engine.dispose()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_an_operator_keeps_a_line_and_checks_it(app: Flask) -> None:
    runner = app.test_cli_runner()
    assert "nothing to anchor" in runner.invoke(args=["anchor"]).output
    act(2)
    line = runner.invoke(args=["anchor"]).output.strip()
    assert line.startswith("v1:2:")

    for arguments, code in (
        (["--anchor", line], 0),
        (["--anchor", line, "--json"], 0),
        (["--anchor", f"{line}0"], 1),
    ):
        assert runner.invoke(args=["audit", *arguments]).exit_code == code
    as_administrator("UPDATE audit_log SET reason = 'x' WHERE id = 2")
    answer = runner.invoke(args=["audit"])
    assert answer.exit_code == 1 and "seal 2, entry 2: not as it was sealed (20" in answer.output
    found = json.loads(runner.invoke(args=["audit", "--json"]).output)["findings"]
    (place,) = [place for finding in found for place in finding["first"]]
    assert (place["flaw"], place["seq"], place["entry_id"]) == ("does_not_fit", 2, 2)
    as_administrator("DELETE FROM audit_seals", "DELETE FROM audit_log")
    assert runner.invoke(args=["audit"]).exit_code == 0
    answer = runner.invoke(args=["audit", "--anchor", line])
    assert answer.exit_code == 1 and "✗ 10" in answer.output
    assert "seal 2 is gone or not as it was anchored" in answer.output
