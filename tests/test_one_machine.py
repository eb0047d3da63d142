"""What `bin/run` decides by itself, and keeps."""

import os
import re
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from app import one_machine
from app.one_machine import CannotStart
from app.settings import Settings
from tests import servers


@pytest.fixture(autouse=True)
def port(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    """A bare environment in which a free port is asked for."""
    free = servers.free_port()
    for name in servers.SETTINGS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    monkeypatch.setenv("PORT", str(free))
    return free


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as other:
        yield int(other.getsockname()[1])


def test_a_command_given_only_the_folder_finds_the_shop(tmp_path: Path, port: int) -> None:
    machine = one_machine.prepare(tmp_path)
    found = Settings.from_environment({"DATA_DIR": str(tmp_path)})
    assert found.base_url == machine.url == f"http://127.0.0.1:{port}"
    assert found.sandbox_url == f"http://127.0.0.1:{machine.sandbox_port}"
    assert found.simulator_url == f"http://127.0.0.1:{machine.simulator_port}"
    assert machine.simulator_port != machine.sandbox_port
    assert found.shop_env == "demo"


def test_what_was_made_once_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = one_machine.prepare(tmp_path)
    monkeypatch.setenv("PORT", str(servers.free_port()))
    second = one_machine.prepare(tmp_path)
    names = ("URL", "MERCHANT", "KEY")
    kept = ["SECRET_KEY", *(f"{house}_{name}" for house in one_machine.OUTSIDE for name in names)]
    assert [second.settings[name] for name in kept] == [first.settings[name] for name in kept]
    assert second.url != first.url


def test_the_file_is_for_its_owner_alone_whatever_it_was(tmp_path: Path) -> None:
    (tmp_path / "shop.env").write_text("# mine\nLOG_LEVEL=WARNING\n")
    (tmp_path / "shop.env").chmod(0o644)
    one_machine.prepare(tmp_path)
    assert stat.S_IMODE((tmp_path / "shop.env").stat().st_mode) == 0o600
    assert Settings.from_environment({"DATA_DIR": str(tmp_path)}).log_level == "WARNING"


def test_where_the_shop_lives_is_remembered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://shop@db/shop")
    monkeypatch.setenv("REDIS_URL", "redis://queue:6379/0")
    assert not one_machine.prepare(tmp_path).has_own_queue
    monkeypatch.delenv("DATABASE_URL")
    monkeypatch.delenv("REDIS_URL")
    assert not one_machine.prepare(tmp_path).has_own_queue
    found = Settings.from_environment({"DATA_DIR": str(tmp_path)})
    assert found.database_url == "postgresql+psycopg://shop@db/shop"
    assert found.redis_url == "redis://queue:6379/0"


def test_an_address_from_the_environment_wins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BASE_URL", "https://shop.example.com")
    assert one_machine.prepare(tmp_path).url == "https://shop.example.com"


@pytest.mark.parametrize("house", one_machine.OUTSIDE)
def test_a_port_that_was_taken_meanwhile_is_given_up(
    tmp_path: Path, taken: int, house: str
) -> None:
    one_machine.write(tmp_path / "shop.env", f"{house}_URL=http://127.0.0.1:{taken}\n")
    machine = one_machine.prepare(tmp_path)
    assert {machine.sandbox_port, machine.simulator_port} <= set(one_machine.OUTSIDE_PORTS)


def test_the_ports_can_be_chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SANDBOX_PORT", "21234")
    monkeypatch.setenv("SIMULATOR_PORT", "21235")
    machine = one_machine.prepare(tmp_path)
    assert (machine.sandbox_port, machine.simulator_port) == (21234, 21235)
    assert machine.settings["SANDBOX_URL"] == "http://127.0.0.1:21234"
    assert machine.settings["SIMULATOR_URL"] == "http://127.0.0.1:21235"


def test_a_port_that_was_drawn_is_not_drawn_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(one_machine, "OUTSIDE_PORTS", range(21_000, 21_002))
    for _ in range(8):
        machine = one_machine.prepare(tmp_path)
        assert {machine.sandbox_port, machine.simulator_port} == {21_000, 21_001}
        (tmp_path / "shop.env").unlink()


def test_in_production_there_is_no_play_money(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_ENV", "production")
    machine = one_machine.prepare(tmp_path)
    assert not machine.is_demo
    assert not any(f"{house}_URL" in machine.settings for house in one_machine.OUTSIDE)


@pytest.mark.parametrize("text", ["80x", "0", "65536", "-1"])
def test_a_port_that_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("PORT", text)
    with pytest.raises(CannotStart, match=f"PORT must be a number from 1 to 65535, not '{text}'"):
        one_machine.prepare(tmp_path)


def test_a_host_that_is_not_this_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOST", "203.0.113.1")
    with pytest.raises(CannotStart, match=re.escape("Cannot listen on 203.0.113.1 port")):
        one_machine.prepare(tmp_path)


def test_a_folder_too_deep_for_a_socket(tmp_path: Path) -> None:
    machine = one_machine.prepare(tmp_path)
    deep = one_machine.Machine(tmp_path / ("x" * 100), machine.host, machine.port, machine.settings)
    with pytest.raises(CannotStart, match="Choose a shorter DATA_DIR"):
        one_machine.queue_command(deep)


def test_no_setting_shows_in_a_trace(tmp_path: Path) -> None:
    machine = one_machine.prepare(tmp_path)
    assert machine.settings["SANDBOX_KEY"] not in repr(machine)
    assert machine.settings["SIMULATOR_KEY"] not in repr(machine)
    assert os.environ["DATA_DIR"] in repr(machine)
