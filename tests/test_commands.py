"""What `bin/run` promises: it says what it made, keeps it, mends itself, and leaves nothing."""

import os
import re
import signal
import socket
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from redis import Redis
from redis.exceptions import RedisError

from app.core.tls import TLS
from tests.servers import Postgres, Shop, run_shop, start_shop, wait_until

# In one process of xdist's, so that only one shop is made and only one kept.
pytestmark = pytest.mark.xdist_group("commands")


@dataclass
class Keeper:
    """One shop for the tests of this file: to make one, and to start it, takes longer than most."""

    folder: Path
    shop: Shop | None = None

    def get(self) -> Shop:
        """The shop, running: started if it is not, or if a test ended it."""
        if self.shop is None or self.shop.process.poll() is not None:
            self.shop = start_shop(self.folder)
        return self.shop


@pytest.fixture(scope="module")
def keeper(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keeper]:
    kept = Keeper(tmp_path_factory.mktemp("commands") / "data")
    yield kept
    if kept.shop is not None:
        kept.shop.process.kill()
        kept.shop.process.wait()


@pytest.fixture
def running(keeper: Keeper) -> Shop:
    return keeper.get()


def family(pid: int) -> list[int]:
    """The process and all that came from it."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(one for child in children for one in family(int(child)))]


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in "ZX"


def children_by_name(shop: Shop) -> dict[str, int]:
    main = shop.process.pid
    children = Path(f"/proc/{main}/task/{main}/children").read_text().split()
    return {Path(f"/proc/{child}/comm").read_text().strip(): int(child) for child in children}


def answers(url: str) -> bool:
    try:
        return httpx.get(url, trust_env=False, timeout=2, verify=TLS).status_code == 200
    except httpx.HTTPError:
        return False


def is_up(shop: Shop) -> bool:
    return answers(f"{shop.url}/readyz")


def queue_answers(shop: Shop) -> bool:
    try:
        return bool(Redis.from_url(f"unix://{shop.data_dir}/valkey.sock").ping())
    except RedisError:
        return False


def test_it_prints_the_addresses_and_sign_ins_and_then_that_it_is_ready(running: Shop) -> None:
    text = running.log.read_text()
    demo = running.demo
    assert f"{running.url}/admin/" in text
    for words in (demo[who].values() for who in ("admin", "buyer", "distributor")):
        assert all(word in text for word in words)
    # Workers may have something to log by then.
    said = [line for line in text.splitlines() if not line.startswith("{")]
    assert said[-1] == "ready"
    assert demo["url"] == running.url
    assert is_up(running)


def test_the_first_thing_in_the_demo_is_a_code_that_can_be_bought(running: Shop) -> None:
    with httpx.Client(base_url=running.url, trust_env=False) as browser:
        cards = re.findall(r'<[^>]+data-testid="product-card"[^>]*>', browser.get("/").text)
        (path,) = re.findall(r'href="([^"]+)"', cards[0])
        page = browser.get(path).text
    assert 'data-testid="contact"' in page and 'data-testid="submit-order"' in page


def test_only_its_owner_reads_what_it_writes(running: Shop) -> None:
    open_to_others = [
        path.name
        for path in running.data_dir.rglob("*")
        if path.exists() and stat.S_IMODE(path.stat().st_mode) & 0o077
    ]
    assert open_to_others == []


def test_a_second_one_in_the_same_folder_is_refused(running: Shop) -> None:
    second = run_shop(running.data_dir)
    assert second.returncode == 1
    assert f"A shop is running in {running.data_dir} already." in second.stderr
    assert is_up(running)


def test_a_taken_port_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        refused = run_shop(tmp_path / "data", PORT=str(port))
    assert refused.returncode == 1
    assert refused.stderr.strip() == (
        f"Port {port} is taken. Choose another: PORT={port + 1} bin/run"
    )


def test_faults_of_the_settings_are_named_together_and_without_a_trace(running: Shop) -> None:
    audit = running.flask("audit", SHOP_ENV="shop", LOG_LEVEL="LOUD", MASTER_KEYS="k1")
    assert audit.returncode == 1
    assert audit.stderr.startswith("Error: Settings are wrong:")
    for thing in ("SHOP_ENV", "LOG_LEVEL", "a master key"):
        assert f"- {thing} must be" in audit.stderr


@pytest.mark.parametrize("command", [["audit"], ["backup"], ["demo"], ["keys", "check"]], ids=str)
def test_a_command_on_a_database_that_was_not_made_says_what_to_do(
    running: Shop, tmp_path: Path, command: list[str]
) -> None:
    refused = running.flask(*command, DATABASE_URL=f"sqlite:///{tmp_path}/new.db")
    assert refused.returncode == 1
    assert refused.stderr.startswith("Error: ") and "Run `flask --app wsgi init`" in refused.stderr


def test_a_database_that_is_away_is_said(running: Shop) -> None:
    refused = running.flask("audit", DATABASE_URL="postgresql://nobody@127.0.0.1:1/shop")
    assert refused.returncode == 1
    assert refused.stderr.startswith("Error: The database does not answer.")


def test_what_init_makes_is_for_its_owner_alone(running: Shop, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir(mode=0o755)
    made = running.flask("init", DATA_DIR=str(folder))
    assert made.returncode == 0, made.stderr
    assert {path.name for path in folder.iterdir()} >= {"shop.db", "shop.env", "master.key"}
    assert [path.name for path in folder.iterdir() if path.stat().st_mode & 0o077] == []


def test_a_shop_with_faulty_settings_does_not_start(tmp_path: Path) -> None:
    refused = run_shop(tmp_path / "data", TRUSTED_PROXIES="one", BASE_URL="shop.example")
    assert refused.returncode == 1
    assert refused.stderr.startswith("Settings are wrong:")
    assert "Traceback" not in refused.stderr


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    refused = run_shop(tmp_path / "file" / "data")
    assert refused.returncode == 1
    assert refused.stderr.strip() == (
        f"{tmp_path}/file/data cannot be made: Not a directory. Choose another DATA_DIR."
    )


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_when_told_to_stop_it_ends_all_it_started(running: Shop, how: signal.Signals) -> None:
    processes = family(running.process.pid)
    assert len(processes) > 6
    assert running.stop(how) == 0
    assert [pid for pid in processes if is_running(pid)] == []


def test_killed_it_leaves_nothing_and_the_next_one_has_the_same_shop(
    keeper: Keeper, running: Shop
) -> None:
    processes = family(running.process.pid)
    sign_ins = running.demo
    os.kill(running.process.pid, signal.SIGKILL)
    wait_until(lambda: not any(is_running(pid) for pid in processes), "an end of them all", 2)

    running.process.wait()
    again = keeper.get()
    assert again.url != running.url
    assert again.demo == sign_ins | {"url": again.url}


def test_a_child_that_dies_comes_back(running: Shop) -> None:
    before = children_by_name(running)
    assert set(before) == {
        *("valkey-server", "web", "sandbox", "simulator", "relay", "worker 1", "worker 2"),
    }
    for pid in before.values():
        os.kill(pid, signal.SIGKILL)

    wait_until(lambda: set(children_by_name(running)) == set(before), "its children")
    wait_until(lambda: queue_answers(running) and is_up(running), "the shop")
    assert set(children_by_name(running).values()).isdisjoint(before.values())


def test_what_plays_the_outside_world_answers(running: Shop) -> None:
    lines = (running.data_dir / "shop.env").read_text().splitlines()
    kept = dict(line.split("=", 1) for line in lines if "=" in line)
    for house in ("SANDBOX", "SIMULATOR"):
        url = kept[f"{house}_URL"]
        wait_until(lambda url=url: answers(f"{url}/healthz"), house)
    assert f"{kept['SIMULATOR_URL']}/control" in running.log.read_text()
    assert kept["SIMULATOR_KEY"] not in running.log.read_text()


def test_on_postgresql_later_runs_and_commands_go_there_without_being_told(
    postgres: Postgres, worker_id: str, tmp_path: Path
) -> None:
    url = postgres.create(f"commands_{worker_id}")
    first = start_shop(tmp_path / "data", DATABASE_URL=url)
    sign_ins = first.demo
    assert first.stop() == 0

    second = start_shop(tmp_path / "data")
    try:
        assert second.demo == sign_ins | {"url": second.url}
        audit = second.flask("audit")
        assert audit.returncode == 0, audit.stdout + audit.stderr
        assert not (tmp_path / "data" / "shop.db").exists()
    finally:
        second.stop()
