"""The process: it forgets nothing when it dies, ends when told to, and leaves nobody behind."""

import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.outside import Process, run_without_account
from tests.servers import wait_until
from tests.simulator.conftest import Merchant, Simulator, account, process_at, simulator_at


@pytest.fixture
def mortal(tmp_path: Path) -> Iterator[Process]:
    running = process_at(tmp_path / "simulator.db")
    running.start()
    yield running
    running.kill()


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
    numbers = [f"{number}{place}" for place in range(10)]
    for name in numbers:
        provider.faults(name, after=1)
        assert provider.plain.order(name, account()).what == "processing"

    mortal.kill()
    mortal.start()

    for name in numbers:
        provider.hear(name, "delivered")
    assert [provider.executed(name) for name in numbers] == [1] * 10
    assert provider.deposit() == 10_000_000 - 10 * 1260


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
    to = {name: account("3003") for name in numbers}

    def send() -> None:
        """As a careful merchant does: asks about what is in doubt, and sends what is not there."""
        for name in numbers:
            while (known := provider.fulu.query(name).what) != "delivered":
                if known == "cut":
                    down.wait(0.05)
                else:
                    provider.fulu.order(name, to[name])

    def all_executed() -> int:
        return len(provider.control("GET", "/executions")["executions"])

    sending = threading.Thread(target=send)
    sending.start()
    for least in (10, 30):
        wait_until(lambda least=least: all_executed() >= least, "some more executions", every=0.01)
        mortal.kill()
        mortal.start()
    sending.join()

    assert [provider.executed(name) for name in numbers] == [1] * 60
    assert provider.deposit() == 10_000_000 - 60 * 1260


def test_conditions_and_faults_outlive_it(
    mortal: Process, provider: Simulator, number: str
) -> None:
    provider.control("POST", "/conditions", latency=7, seed="s", mix={"6001": 1})
    provider.faults(number, ends="failed")
    before = provider.control("GET", "/conditions")

    mortal.kill()
    mortal.start()

    assert provider.control("GET", "/conditions") == before
    assert provider.plain.order(number, account()).what == "failed"
    assert provider.plain.order(f"{number}B", account()).what == "processing"


def test_where_fulu_calls_back_may_be_said_at_the_start(
    tmp_path: Path, merchant: Merchant, number: str
) -> None:
    running = process_at(tmp_path / "simulator.db")
    running.environment["SIMULATOR_NOTIFY_URL"] = "http://127.0.0.1:9/before"
    running.start()
    try:
        provider = simulator_at(running.url, merchant)
        provider.control("POST", "/conditions", latency=1)
        running.stop()
        running.environment["SIMULATOR_NOTIFY_URL"] = f"{merchant.url}{provider.fulu.hook}"
        running.start()

        provider.fulu.order(number, account())

        provider.hear(number, "delivered")
        assert provider.control("GET", "/conditions")["latency"] == 1
    finally:
        running.kill()


def test_it_ends_when_told_to(mortal: Process) -> None:
    assert mortal.process is not None
    mortal.process.send_signal(signal.SIGTERM)

    assert mortal.process.wait(10) == 0
    assert not mortal.is_up()


def test_it_says_what_it_lacks(tmp_path: Path) -> None:
    ended = run_without_account("app.simulator", "SIMULATOR", tmp_path / "s.db")

    assert ended.returncode == 1
    assert "SIMULATOR_MERCHANT and SIMULATOR_KEY" in ended.stderr
