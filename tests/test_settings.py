"""What plays a part of the outside world is for demos, and needs an account with the shop."""

from pathlib import Path

import pytest

from app.settings import BadSettings, Settings

SOUND = {"SECRET_KEY": "s" * 32, "SHOP_ENV": "demo"}


def account(house: str, **changes: str) -> dict[str, str]:
    found = {"URL": "http://127.0.0.1:20001/", "MERCHANT": "M1", "KEY": "k" * 32} | changes
    return {f"{house}_{name}": value for name, value in found.items()}


def faults(data_dir: Path, **given: str) -> list[str]:
    with pytest.raises(BadSettings) as refused:
        Settings.from_environment(SOUND | {"DATA_DIR": str(data_dir)} | given)
    return refused.value.faults


def test_the_accounts_are_read(tmp_path: Path) -> None:
    given = SOUND | account("SANDBOX") | account("SIMULATOR", MERCHANT="M2")
    found = Settings.from_environment({"DATA_DIR": str(tmp_path)} | given)

    assert found.sandbox_url == found.simulator_url == "http://127.0.0.1:20001"
    assert (found.sandbox_merchant, found.simulator_merchant) == ("M1", "M2")
    assert found.simulator_key == "k" * 32
    assert "k" * 32 not in repr(found)


@pytest.mark.parametrize("house", ["SANDBOX", "SIMULATOR"])
@pytest.mark.parametrize("changes", [{"MERCHANT": ""}, {"KEY": ""}, {"KEY": "k" * 31}])
def test_an_address_needs_an_account_there(
    tmp_path: Path, house: str, changes: dict[str, str]
) -> None:
    expected = f"{house}_URL needs {house}_MERCHANT and a {house}_KEY of 32 or more"

    assert faults(tmp_path, **account(house, **changes)) == [expected]


@pytest.mark.parametrize("house", ["SANDBOX", "SIMULATOR"])
def test_in_production_there_is_none(tmp_path: Path, house: str) -> None:
    [fault] = faults(tmp_path, **account(house), SHOP_ENV="production")

    assert fault.startswith(f"{house}_URL must be empty in production")
