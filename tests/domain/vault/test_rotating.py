"""A new master key and new data keys while the shop sells: nothing is lost, wherever it is killed,
and in the end nothing needs the old ones."""

import os
import stat
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
import time_machine
from flask import Flask

from app import backup, connect, invariants
from app.core import clock, keys, master_key, outbox
from app.core.crashpoints import KILLED
from app.core.crypto import data_key_id_of, new_master_key
from app.core.db import session, transaction
from app.core.keys import DataKeyRow, KeyPurpose
from app.core.processes import die_with_parent
from app.domain.catalog.models import Product
from app.domain.orders import queries, resealing
from app.domain.vault import key_queries, rotating, service
from app.domain.vault.models import Batch, Code
from app.domain.vault.rotation_models import KeyRotation, RotationState
from tests import factories
from tests.conftest import MASTER_KEY
from tests.domain.vault import imports
from tests.servers import ROOT
from tests.test_backup import code_of, destroy_everything

pytestmark = pytest.mark.usefixtures("channel")
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def key_file(app: Flask, here: Path) -> Path:
    """The shop's master key in a file, as `flask init` makes it."""
    path = here / "master.key"
    path.touch(0o600)
    path.write_text(f"{MASTER_KEY}\n")
    app.config["SETTINGS"] = replace(app.config["SETTINGS"], master_keys="")
    connect(app)
    return path


def flask(app: Flask, *arguments: str) -> tuple[int, str]:
    session.rollback()
    done = app.test_cli_runner().invoke(args=arguments)
    return done.exit_code, " ".join(done.output.split())


def bought(product: Product) -> tuple[str, str]:
    """The number of a paid order, and its code."""
    order = factories.buy(product)
    return order.number, code_of(order)


def rotation() -> KeyRotation:
    session.rollback()
    found = key_queries.latest_rotation()
    assert found is not None
    return found


def later(minutes: int, deed: Callable[[], object]) -> None:
    with time_machine.travel(clock.now() + timedelta(minutes=minutes), tick=True):
        session.rollback()
        factories.take_over()
        deed()


def stale() -> list[int]:
    """The codes that are not under their batches' keys of now."""
    session.rollback()
    rows = session.execute(
        sa.select(Code.id, Code.sealed, Batch.data_key_id).join(Batch, Batch.id == Code.batch_id)
    )
    return [code_id for code_id, sealed, key_id in rows if data_key_id_of(sealed) != key_id]


def living() -> dict[int, str]:
    """The data keys that are not destroyed, and the master keys that wrap them."""
    session.rollback()
    rows = session.execute(
        sa.select(DataKeyRow.id, DataKeyRow.master_key_id).where(DataKeyRow.wrapped.is_not(None))
    )
    return dict(rows.all())


def assert_all_is_well() -> None:
    session.rollback()
    session.expire_all()
    assert [finding for finding in invariants.run(full=True) if not finding.holds] == []


def test_new_keys_while_the_shop_runs(app: Flask, key_file: Path, tmp_path: Path) -> None:
    product = factories.make_product(codes=0)
    imports.bring(product, "\n".join(f"AAAA-{n:04}-XY" for n in range(30)))
    number, sold = bought(product)
    waiting = imports.upload(product, "BBBB-0001\nBBBB-0002\n")
    backup.backup(tmp_path / "before")
    before = living()

    status, words = flask(app, "keys", "rotate")

    assert status == 0, words
    assert stat.S_IMODE(key_file.stat().st_mode) == 0o600
    assert [line.partition(":")[0] for line in key_file.read_text().split()] == ["k1", "test"]
    assert f"{len(before)} data keys are wrapped by k1 now" in words
    assert living() == dict.fromkeys(before, "k1")
    # Old and new open side by side: nothing is sealed anew yet, and there is more to come.
    assert code_of(queries.find(number)) == sold
    factories.buy(product)

    factories.work()

    assert stale() == []
    assert rotation().state == RotationState.SETTLING
    assert "30 of" not in flask(app, "keys")[1]
    assert set(living()) > set(before), "old keys stay until nobody can have one in hand"
    factories.buy(product)
    imports.start(waiting)
    later(16, factories.work)

    assert rotation().state == RotationState.DONE
    old = [key_id for key_id in before if session.get_one(DataKeyRow, key_id).purpose == "batch"]
    assert set(living()).isdisjoint(old)
    assert rotation().destroyed == len(old) == 2
    assert imports.texts(imports.fresh(waiting.uid)) == ["BBBB-0001", "BBBB-0002"]
    assert "2 old data keys destroyed" in flask(app, "keys")[1]
    key_file.write_text(key_file.read_text().split()[0])
    keys.reload()
    assert_all_is_well()
    assert code_of(queries.find(number)) == sold

    backup.backup(tmp_path / "after")
    destroy_everything()
    with pytest.raises(backup.BadBackup, match="with this master key"):
        backup.restore(tmp_path / "before")
    backup.restore(tmp_path / "after")
    keys.forget()
    assert_all_is_well()
    assert code_of(queries.find(number)) == sold


def in_another_process(app: Flask, point: str, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a command of the shop there, to be killed at the point."""
    config = app.config["SETTINGS"]
    environment = {
        "DATA_DIR": str(config.data_dir.resolve()),
        "DATABASE_URL": config.database_url,
        "REDIS_URL": "unix:///nowhere",
        "SECRET_KEY": config.secret_key,
        "SHOP_ENV": "test",
        "LOG_LEVEL": "ERROR",
        "CRASH_AT": point,
    }
    return subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env=os.environ | environment,
        preexec_fn=die_with_parent,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def rotate_in_another_process(app: Flask, point: str) -> subprocess.CompletedProcess[str]:
    return in_another_process(app, point, "-m", "flask", "--app", "wsgi", "keys", "rotate")


def work_in_another_process(app: Flask, point: str) -> None:
    row_id = session.scalars(
        sa.select(outbox.OutboxRow.id).where(outbox.OutboxRow.name.endswith("jobs.reseal"))
    ).one()
    session.rollback()
    code = (
        "from app import create_app; from app.core import outbox\n"
        f"with create_app().app_context(): outbox.run({row_id})"
    )
    assert in_another_process(app, point, "-c", code).returncode == KILLED


@on_sqlite
def test_killed_before_the_keys_are_wrapped_it_goes_on(app: Flask, key_file: Path) -> None:
    """And a process that has read the old master keys only opens everything all the while."""
    number, sold = bought(factories.make_product(codes=3))

    assert rotate_in_another_process(app, "rotation.key_written").returncode == KILLED
    assert set(living().values()) == {"test"}
    assert code_of(queries.find(number)) == sold
    assert rotate_in_another_process(app, "rotation.begun").returncode == KILLED

    assert "k2" not in key_file.read_text(), "the key that was written is taken into use first"
    assert set(living().values()) == {"k1"}
    assert "k1" not in keys.ring()
    keys.forget()
    assert code_of(queries.find(number)) == sold
    assert_all_is_well()


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
def test_killed_while_codes_are_sealed_anew_it_goes_on(app: Flask, key_file: Path) -> None:
    product = factories.make_product(codes=1500)
    number, sold = bought(product)
    assert flask(app, "keys", "rotate")[0] == 0

    for minutes, point in ((0, "rotation.replaced"), (5, "rotation.resealed")):
        later(minutes, lambda point=point: work_in_another_process(app, point))  # type: ignore[misc]
        assert code_of(queries.find(number)) == sold
        factories.buy(product)
    assert (rotation().state, rotation().after_id > 0) == (RotationState.RESEALING, True)
    assert 0 < len(stale()) < 1000
    # The lease of whoever was killed runs by the clock of that process.
    later(6, factories.work)
    assert stale() == []
    later(30, factories.work)

    assert rotation().state == RotationState.DONE
    assert_all_is_well()
    assert code_of(queries.find(number)) == sold


def begin() -> int:
    return transaction(rotating.begin).id


def test_a_code_that_is_sold_meanwhile_keeps_what_it_got(app: Flask) -> None:
    product = factories.make_product(codes=5)
    rotation_id = begin()
    rotating.replace_keys(rotation_id)
    piece = resealing._next(rotation_id)
    assert piece is not None
    assert len(piece.resealed) == 5

    order = factories.buy(product, quantity=2)
    transaction(lambda: resealing._put_in_place(rotation_id, piece))
    # And the piece of one who was slower than another is not put in place.
    transaction(lambda: resealing._put_in_place(rotation_id, piece))

    assert (rotation().resealed, rotation().looked_at) == (3, 5)
    assert stale() == []
    assert_all_is_well()
    assert len(code_of(order)) > 10


@on_sqlite
def test_whoever_had_an_old_key_in_hand_is_waited_for(app: Flask) -> None:
    """What was sealed under it late is found before it is destroyed, and waited for again."""
    product = factories.make_product(codes=3)
    batch = session.scalars(sa.select(Batch)).one()
    in_hand, old = keys.by_id(batch.data_key_id), batch.data_key_id
    begin()
    factories.work()
    code = session.scalars(sa.select(Code).order_by(Code.id)).first()
    assert code is not None
    bound_to = service.unsold_context(batch.uid, code.uid)
    plain = keys.of(code.sealed).open(code.sealed, bound_to)
    transaction(
        lambda: session.execute(
            sa.update(Code).where(Code.id == code.id).values(sealed=in_hand.seal(plain, bound_to))
        )
    )

    later(16, factories.work)
    assert (rotation().state, old in living()) == (RotationState.SETTLING, True)
    assert stale() == []
    later(32, factories.work)

    assert (rotation().state, old in living()) == (RotationState.DONE, False)
    assert product.id
    assert_all_is_well()


@on_sqlite
def test_what_does_not_open_keeps_its_key_and_stops_nothing(app: Flask) -> None:
    factories.make_product(codes=4)
    first, second = session.scalars(sa.select(Code).order_by(Code.id).limit(2)).all()
    moved = {first.id: second.sealed, second.id: first.sealed}

    def swap() -> None:
        for code_id, sealed in moved.items():
            session.execute(sa.update(Code).where(Code.id == code_id).values(sealed=sealed))

    transaction(swap)
    old = set(living())
    begin()
    factories.work()
    later(16, factories.work)

    done = rotation()
    assert (done.state, done.resealed, done.unreadable) == (RotationState.DONE, 2, 2)
    assert (done.destroyed, old <= set(living())) == (0, True)
    assert stale() == sorted(moved)


@on_sqlite
def test_a_second_rotation_takes_over_from_the_first(app: Flask) -> None:
    factories.make_product(codes=3)
    first = begin()
    rotating.replace_keys(first)
    begin()
    factories.work()
    later(16, factories.work)

    assert session.get_one(KeyRotation, first).state == RotationState.SUPERSEDED
    assert (rotation().state, rotation().destroyed) == (RotationState.DONE, 2)
    assert len(living()) == 3
    assert_all_is_well()


@on_sqlite
def test_with_keys_of_the_environment_the_operator_puts_the_new_one_in_front(app: Flask) -> None:
    factories.make_product(codes=2)

    status, words = flask(app, "keys", "rotate")
    assert status == 1
    assert "has to be put there by hand" in words
    status, made = flask(app, "keys", "new")
    assert made.startswith("k1:")
    app.config["SETTINGS"] = replace(app.config["SETTINGS"], master_keys=f"{made},{MASTER_KEY}")
    connect(app)
    status, words = flask(app, "keys", "rotate")

    assert status == 0, words
    assert set(living().values()) == {"k1"}
    assert "Keep test as long as you keep backups from before now" in words
    # Done once, it is not done again by mistake.
    assert flask(app, "keys", "rotate")[0] == 1


@on_sqlite
def test_nothing_is_rotated_while_a_master_key_is_missing(app: Flask, key_file: Path) -> None:
    key_file.write_text(new_master_key("other"))
    keys.reload()

    status, words = flask(app, "keys", "rotate")

    assert status == 1
    assert "data keys do not open: a master key is missing" in words
    assert key_file.read_text().count(":") == 1
    assert set(living().values()) == {"test"}
    with (
        master_key.one_at_a_time(key_file.parent),
        pytest.raises(master_key.Busy),
        master_key.one_at_a_time(key_file.parent),
    ):
        raise AssertionError("two at a time")


@on_sqlite
def test_a_destroyed_key_is_forgotten_by_other_processes_too(app: Flask) -> None:
    """Within minutes; this process forgets it with the unit that destroys it."""
    made = transaction(lambda: keys.create(KeyPurpose.BATCH)).id
    blob = keys.by_id(made).seal(b"x", b"")
    transaction(
        lambda: session.execute(
            sa.update(DataKeyRow).where(DataKeyRow.id == made).values(wrapped=None)
        )
    )

    assert keys.of(blob).open(blob, b"") == b"x"
    with (
        time_machine.travel(clock.now() + keys.KEPT_FOR, tick=True),
        pytest.raises(keys.Destroyed),
    ):
        keys.of(blob)


def test_names_of_master_keys_are_never_used_twice() -> None:
    assert master_key.next_name(()) == "k1"
    assert master_key.next_name({"test", "k2", "k10", "key3", "k"}) == "k11"
