"""A backup is sealed, whole or refused, and brings back the shop on either database."""

import shutil
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask import Flask

from app import backup, create_app, invariants
from app.core import keys, migrations
from app.core.db import Model, db, session, transaction
from app.domain.orders import queries
from app.domain.orders.models import Order
from app.domain.vault import service as vault
from app.providers import payments
from tests import factories
from tests.conftest import settings
from tests.fake_channel import ObedientChannel


@pytest.fixture
def order(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Order:
    monkeypatch.setitem(payments._channels, "sandbox", ObedientChannel())
    factories.place(factories.make_product(codes=3), phone="13912345678")
    order = factories.buy(factories.make_product(codes=3))
    # Without its session: what the test knows of it must survive the database's destruction.
    session.expunge(order)
    return order


def code_of(order: Order) -> str:
    line = queries.lines_of(order.id)[0]
    found = transaction(
        lambda: vault.reveal_to_buyer([line.id], order.contact_index, channel="page", ip="::1")
    )
    return found[line.id][0][1].reveal()


def destroy_everything() -> None:
    """What a lost machine leaves, and `flask init` on the next one: the schema, and new keys."""
    session.remove()
    db.engine.dispose()
    with db.engine.begin() as connection:
        Model.metadata.drop_all(connection)
        connection.exec_driver_sql("DROP TABLE alembic_version")
        if db.engine.dialect.name == "postgresql":
            connection.exec_driver_sql("DROP FUNCTION refuse_change()")
    migrations.upgrade()
    keys.forget()
    transaction(keys.ensure_shop_keys)


def rows() -> dict[str, list[tuple[object, ...]]]:
    session.rollback()
    return {
        table.name: [
            tuple(row) for row in session.execute(sa.select(table).order_by(*table.primary_key))
        ]
        for table in Model.metadata.sorted_tables
        if table.name not in backup.LEFT_OUT
    }


def test_a_destroyed_shop_comes_back_and_audits_clean(order: Order, tmp_path: Path) -> None:
    code, path = code_of(order), tmp_path / "shop.backup"
    before = rows()
    backup.backup(path)

    destroy_everything()
    backup.restore(path)

    assert rows() == before
    assert [finding for finding in invariants.run(full=True) if not finding.holds] == []
    assert code_of(queries.find(order.number)) == code


def test_the_restored_shop_goes_on_selling(order: Order, tmp_path: Path) -> None:
    path = tmp_path / "shop.backup"
    backup.backup(path)
    destroy_everything()
    backup.restore(path)

    again = factories.buy(factories.make_product(codes=1))

    assert again.id > order.id


def test_the_file_shows_nothing(order: Order, tmp_path: Path) -> None:
    code, path = code_of(order), tmp_path / "shop.backup"
    backup.backup(path)

    content = path.read_bytes()

    for secret in (code, order.number, "13912345678", "测试卡", "orders"):
        assert secret.encode() not in content
    assert path.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("damage", ["cut", "changed", "other"])
def test_a_damaged_backup_is_refused_and_changes_nothing(
    order: Order, tmp_path: Path, damage: str
) -> None:
    path = tmp_path / "shop.backup"
    backup.backup(path)
    content = bytearray(path.read_bytes())
    if damage == "cut":
        path.write_bytes(content[:-20])
    elif damage == "changed":
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
    else:
        path.write_bytes(b"not a backup at all" * 100)
    destroy_everything()
    before = rows()

    with pytest.raises(backup.BadBackup):
        backup.restore(path)

    assert rows() == before


def test_a_shop_with_data_is_not_written_over(order: Order, tmp_path: Path) -> None:
    path = tmp_path / "shop.backup"
    backup.backup(path)
    before = rows()

    with pytest.raises(backup.BadBackup, match="not empty"):
        backup.restore(path)

    assert rows() == before


def test_a_backup_that_was_cut_off_leaves_no_file_of_that_name(
    order: Order, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "shop.backup"

    def full_disk(_table: object, _rows: int) -> None:
        raise OSError("no space left on device")

    with pytest.raises(OSError, match="no space"):
        backup.backup(path, full_disk)

    assert not path.exists()


def test_sqlite_moves_to_postgresql(
    sqlite_template: Path, postgres_url: str, tmp_path: Path
) -> None:
    shutil.copy(sqlite_template, tmp_path / "shop.db")
    old = create_app(settings(tmp_path, f"sqlite:///{tmp_path / 'shop.db'}"))
    with old.app_context():
        transaction(keys.ensure_shop_keys)
        payments._channels["sandbox"] = ObedientChannel()
        order = factories.buy(factories.make_product())
        code, number = code_of(order), order.number
        backup.backup(tmp_path / "move.backup")
        session.remove()
        db.engine.dispose()

    new = create_app(settings(tmp_path, postgres_url))
    with new.app_context():
        transaction(keys.ensure_shop_keys)
        backup.restore(tmp_path / "move.backup")
        assert code_of(queries.find(number)) == code
        assert [finding for finding in invariants.run(full=True) if not finding.holds] == []
        session.remove()
        db.engine.dispose()
