"""The merchant's decisions: typed, checked, fresh within two seconds, written down."""

import pytest
import sqlalchemy as sa
from flask import Flask

from app.core.audit import AuditEntry
from app.core.db import session, transaction
from app.core.errors import Refusal
from app.domain.catalog import preferences
from app.domain.catalog.models import Preference


def change(**wanted: object) -> None:
    transaction(lambda: preferences.change(wanted))


def store(name: str, value: str) -> None:
    """As another process would, of which this one hears nothing."""
    transaction(lambda: session.merge(Preference(name=name, value=value)))


def test_everything_has_a_default(app: Flask) -> None:
    assert preferences.get() == preferences.DEFAULTS
    assert list(preferences.faults(preferences.DEFAULTS)) == []
    assert preferences.chosen() == set()


def test_a_change_is_typed_and_seen_at_once_here(app: Flask) -> None:
    change(hold_minutes=20, name="小满的店")
    assert preferences.get().hold_minutes == 20
    assert preferences.get().name == "小满的店"
    assert preferences.chosen() == {"hold_minutes", "name"}


def test_another_process_sees_it_when_the_memory_is_stale(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert preferences.get().hold_minutes == 15
    store("hold_minutes", "30")
    assert preferences.get().hold_minutes == 15
    assert preferences.FRESH_FOR <= 2
    monkeypatch.setattr(preferences, "FRESH_FOR", 0.0)
    assert preferences.get().hold_minutes == 30


def test_within_a_unit_it_is_what_the_unit_sees(app: Flask) -> None:
    assert preferences.get().hold_minutes == 15
    store("hold_minutes", "30")
    assert transaction(lambda: preferences.get().hold_minutes) == 30


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        ({"name": ""}, "name"), ({"name": "店" * 31}, "name"), ({"zone": "../etc/passwd"}, "zone"),
        ({"hold_minutes": 4}, "hold_minutes"), ({"hold_minutes": 121}, "hold_minutes"),
        ({"accent": "red"}, "accent"), ({"low_stock_at": -1}, "low_stock_at"),
        ({"bank_account": "长" * 501}, "bank_account"),
    ],
)  # fmt: skip
def test_a_fault_names_its_field_and_changes_nothing(
    app: Flask, wanted: dict[str, object], field: str
) -> None:
    with pytest.raises(Refusal) as refused:
        change(**wanted)
    assert refused.value.field == field
    assert preferences.get() == preferences.DEFAULTS


def test_before_and_after_are_written_down(app: Flask) -> None:
    change(hold_minutes=20)
    change(hold_minutes=20)
    entries = session.scalars(sa.select(AuditEntry)).all()
    assert [entry.detail for entry in entries] == [{"hold_minutes": [15, 20]}]


def test_a_proposed_value_that_is_confirmed_counts_as_chosen(app: Flask) -> None:
    change(name=preferences.DEFAULTS.name)
    assert preferences.chosen() == {"name"}


def test_what_an_older_version_stored_is_passed_over(app: Flask) -> None:
    store("colour_of_the_sea", "blue")
    preferences.forget()
    assert preferences.get() == preferences.DEFAULTS
