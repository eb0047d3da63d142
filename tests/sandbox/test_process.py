"""The process: it forgets nothing when it dies, ends when told to, and leaves nobody behind."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.providers.payments.interface import StandingState
from tests.outside import Process, run_without_account
from tests.sandbox.conftest import Merchant, channel_at, process_at
from tests.servers import wait_until


@pytest.fixture
def mortal(tmp_path: Path) -> Iterator[Process]:
    running = process_at(tmp_path / "sandbox.db")
    running.start()
    yield running
    running.kill()


def test_what_was_not_told_before_a_crash_is_told_after_it(
    mortal: Process, merchant: Merchant, number: str
) -> None:
    channel = channel_at(mortal.url, merchant)
    merchant.refusals[number] = [500]
    channel.pay(number)

    mortal.kill()
    mortal.start()

    wait_until(lambda: channel.is_told(number), "the callback after the crash")
    assert len(merchant.of(number)) == 2
    assert channel.adapter.query(number).state is StandingState.PAID


def test_it_ends_when_told_to(mortal: Process) -> None:
    assert mortal.process is not None
    mortal.process.send_signal(signal.SIGTERM)

    assert mortal.process.wait(10) == 0
    assert not mortal.is_up()


def test_it_says_what_it_lacks(tmp_path: Path) -> None:
    ended = run_without_account("app.sandbox", "SANDBOX", tmp_path / "s.db")

    assert ended.returncode == 1
    assert "SANDBOX_MERCHANT and SANDBOX_KEY" in ended.stderr
