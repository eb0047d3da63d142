"""The process: it forgets nothing when it dies, ends when told to, and leaves nobody behind."""

import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.outside import Process, run_without_account
from tests.servers import wait_until
from tests.simulator.conftest import Merchant, Simulator, account, process_at, simulator_at
from tests.simulator.tongues import FULU_HOOK


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """One provider for the tests of this file; some of them leave it dead."""
    data = tmp_path_factory.mktemp("mortal") / "simulator.db"
    running = process_at(data)
    running.log = data.with_suffix(".log")
    yield running
    running.kill()


@pytest.fixture
def mortal(one: Process) -> Process:
    if not one.is_up():
        one.start()
    return one


@pytest.fixture
def provider(mortal: Process, merchant: Merchant) -> Simulator:
    return simulator_at(mortal.url, merchant)


@pytest.mark.parametrize("protocol", ["plain", "fulu"])
def test_what_was_executed_before_a_kill_is_known_after_it(
    mortal: Process, provider: Simulator, number: str, protocol: str
) -> None:
    tongue, to = getattr(provider, protocol), account()
    provider.faults(number, hangs_after=1, hang=60)
    heard: list[str] = []
    call = threading.Thread(target=lambda: heard.append(tongue.order(number, to).what))
    call.start()
    wait_until(lambda: provider.executed(number), "the execution")

    mortal.kill()
    call.join()
    mortal.start()

    assert heard == ["cut"]
    assert tongue.query(number).what == "delivered"
    assert tongue.order(number, to).what == "duplicate"
    assert provider.executed(number) == 1


def test_what_was_under_way_at_a_kill_ends_once_after_it(
    mortal: Process, provider: Simulator, number: str
) -> None:
    numbers, before = [f"{number}{place}" for place in range(10)], provider.deposit()
    for name in numbers:
        provider.faults(name, after=1)
        assert provider.plain.order(name, account()).what == "processing"

    mortal.kill()
    mortal.start()

    for name in numbers:
        provider.hear(name, "delivered")
    assert [provider.executed(name) for name in numbers] == [1] * 10
    assert provider.deposit() == before - 10 * 1260


def test_what_was_not_told_before_a_kill_is_told_after_it(
    mortal: Process, provider: Simulator, number: str
) -> None:
    provider.merchant.refusals[number] = [500]
    provider.plain.order(number, account())
    wait_until(lambda: provider.merchant.of(number), "the first try")

    mortal.kill()
    mortal.start()

    wait_until(lambda: provider.is_told(number), "the callback after the kill")
    assert provider.merchant.states_of(number) == ["delivered"] * 2


def test_killed_again_and_again_it_executes_each_order_once(
    mortal: Process, provider: Simulator, number: str
) -> None:
    numbers, down = [f"{number}x{place}" for place in range(60)], threading.Event()
    to, before = {name: account("3003") for name in numbers}, provider.deposit()

    def send() -> None:
        """As a careful merchant does: asks about what is in doubt, and sends what is not there."""
        for name in numbers:
            while (known := provider.fulu.query(name).what) != "delivered":
                if known == "cut":
                    down.wait(0.05)
                else:
                    provider.fulu.order(name, to[name])

    def all_executed() -> int:
        executions = provider.control("GET", "/executions")["executions"]
        return len([row for row in executions if row["number"] in to])

    sending = threading.Thread(target=send)
    sending.start()
    for least in (10, 30):
        wait_until(lambda least=least: all_executed() >= least, "some more executions", every=0.01)
        mortal.kill()
        mortal.start()
    sending.join()

    assert [provider.executed(name) for name in numbers] == [1] * 60
    assert provider.deposit() == before - 60 * 1260


def test_conditions_and_faults_outlive_it(
    mortal: Process, provider: Simulator, number: str
) -> None:
    before = provider.control("GET", "/conditions")
    changed = {"latency": 7, "seed": "s", "mix": {"6001": 1}}
    provider.control("POST", "/conditions", **changed)
    provider.faults(number, ends="failed")

    mortal.kill()
    mortal.start()

    assert provider.control("GET", "/conditions") == before | changed
    assert provider.plain.order(number, account()).what == "failed"
    assert provider.plain.order(f"{number}B", account()).what == "processing"
    provider.control("POST", "/conditions", **before)


def test_where_fulu_calls_back_may_be_said_at_the_start(
    mortal: Process, provider: Simulator, number: str
) -> None:
    provider.control("POST", "/conditions", fulu_notify_url="http://127.0.0.1:9/", latency=1)
    mortal.stop()
    mortal.environment["SIMULATOR_NOTIFY_URL"] = f"{provider.merchant.url}{FULU_HOOK}"
    mortal.start()

    provider.fulu.order(number, account())

    provider.hear(number, "delivered")
    assert provider.control("GET", "/conditions")["latency"] == 1
    provider.control("POST", "/conditions", latency=0)


def test_told_to_stop_amid_its_work_it_prints_no_trace(
    mortal: Process, provider: Simulator, number: str
) -> None:
    assert mortal.log is not None
    mortal.log.write_text("")
    cut = provider.plain.order(f"{number}C", account("3005")).what
    for place in range(30):
        provider.faults(f"{number}x{place}", duplicates=20)
        provider.plain.order(f"{number}x{place}", account())

    mortal.stop()

    assert cut == "cut"
    assert mortal.log.read_text() == ""
    mortal.start()
    wait_until(lambda: len(provider.merchant.of(f"{number}x29")) == 21, "what was left to tell")


def test_it_ends_when_told_to(mortal: Process) -> None:
    assert mortal.process is not None
    mortal.process.send_signal(signal.SIGTERM)

    assert mortal.process.wait(10) == 0
    assert not mortal.is_up()


def test_it_says_what_it_lacks(tmp_path: Path) -> None:
    ended = run_without_account("app.simulator", "SIMULATOR", tmp_path / "s.db")

    assert ended.returncode == 1
    assert "SIMULATOR_MERCHANT and SIMULATOR_KEY" in ended.stderr
