"""What plays a part of the outside world is for demos, and needs an account with the shop."""

from pathlib import Path

import pytest

from app.core import rsa2
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


def test_alipay_needs_its_keys_and_a_line_that_nobody_hears(tmp_path: Path) -> None:
    ours, alipays = rsa2.new_pair()
    keys = {"ALIPAY_PRIVATE_KEY": ours, "ALIPAY_PUBLIC_KEY": alipays, "ALIPAY_APP_ID": "2021"}
    real = "https://openapi.alipay.com/gateway.do"
    found = Settings.from_environment(
        SOUND | keys | {"DATA_DIR": str(tmp_path), "ALIPAY_URL": real}
    )
    assert found.alipay_url == real
    assert ours not in repr(found)

    missing = faults(tmp_path, ALIPAY_URL=real, ALIPAY_PRIVATE_KEY=alipays)
    assert [fault.split(",")[0] for fault in missing] == [
        "ALIPAY_URL needs ALIPAY_APP_ID",
        "ALIPAY_URL needs ALIPAY_PRIVATE_KEY",
        "ALIPAY_URL needs ALIPAY_PUBLIC_KEY",
    ]
    assert alipays not in "".join(missing)
    for url, production in (("http://alipay.com", "demo"), ("http://127.0.0.1:1", "production")):
        [fault] = faults(tmp_path, ALIPAY_URL=url, SHOP_ENV=production, **keys)
        assert fault.startswith("ALIPAY_URL must")
    [fault] = faults(tmp_path, ALIPAY_URL="alipay", **keys)
    assert fault == "ALIPAY_URL must be a full http(s) address"


@pytest.mark.parametrize("switch", ["1", "true", "on"])
def test_nothing_inside_is_shown_in_production(tmp_path: Path, switch: str) -> None:
    needless = [one for one in faults(tmp_path, SHOP_ENV="nowhere") if "FLASK_DEBUG" in one]
    found = faults(tmp_path, SHOP_ENV="production", FLASK_DEBUG=switch, LOG_LEVEL="LOUD")
    assert needless == []
    assert "FLASK_DEBUG must be empty in production: it shows the inside to anybody" in found


@pytest.mark.parametrize("secret", ["", "changeme", "s" * 31])
def test_a_short_secret_key_does_not_start(tmp_path: Path, secret: str) -> None:
    assert any(one.startswith("SECRET_KEY") for one in faults(tmp_path, SECRET_KEY=secret))
