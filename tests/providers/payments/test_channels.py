"""Which channels there are, and which of them a buyer is offered."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from app.providers import payments
from app.providers.payments.interface import UnknownChannel
from app.settings import Settings
from tests.conftest import settings as make_settings


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[Settings]:
    before = dict(payments._channels)
    yield make_settings(tmp_path, "sqlite:///nowhere.db")
    payments._channels.clear()
    payments._channels.update(before)


def names(*, has_bank_account: bool, currency: str = "CNY") -> list[str]:
    return [found.name for found in payments.offered(currency, has_bank_account=has_bank_account)]


def test_a_transfer_is_offered_when_there_is_an_account_to_transfer_to(settings: Settings) -> None:
    payments.connect(settings)

    assert names(has_bank_account=True) == ["sandbox", "transfer"]
    assert names(has_bank_account=False) == ["sandbox"]
    assert names(has_bank_account=True, currency="EUR") == []


def test_there_is_no_sandbox_without_its_address(settings: Settings) -> None:
    payments.connect(replace(settings, sandbox_url=""))

    assert names(has_bank_account=True) == ["transfer"]
    with pytest.raises(UnknownChannel):
        payments.channel("sandbox")


def test_a_sandbox_without_a_key_does_not_start(settings: Settings) -> None:
    with pytest.raises(ValueError, match="needs a key"):
        payments.connect(replace(settings, sandbox_key=""))


def test_every_channel_is_called_by_its_name_and_has_a_title(settings: Settings) -> None:
    payments.connect(settings)

    for name in ("sandbox", "transfer"):
        assert payments.channel(name).name == name
        assert payments.channel(name).title
