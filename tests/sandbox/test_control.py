"""The judge's door: on this machine only, and strict about what is asked of it."""

from pathlib import Path

import pytest

from app.core import clock
from app.domain.orders import statement_files
from app.domain.orders.statement_files import TheirLine
from app.domain.orders.statement_models import LineKind
from app.sandbox.server import create
from tests.sandbox.conftest import Channel


@pytest.mark.parametrize(
    "faults", [{"typo": 1}, {"delay": -1}, {"hang": 61}, {"duplicates": "many"}, {"late": None}]
)
def test_a_fault_there_is_not_is_refused(
    channel: Channel, number: str, faults: dict[str, object]
) -> None:
    answer = channel.browser.post(
        f"{channel.url}/control/faults", json={"number": number, "faults": faults}
    )

    assert answer.status_code == 400


def test_a_fault_may_be_wanted_for_every_trade(channel: Channel, number: str) -> None:
    channel.faults("*", no_callback=1, query_fails=1)
    channel.faults(f"{number}B")
    try:
        channel.pay(number)
        channel.pay(f"{number}B")
    finally:
        channel.faults("*")

    assert channel.trade(number)["callbacks"] == []
    assert len(channel.trade(f"{number}B")["callbacks"]) == 1


def test_the_record_lists_every_trade_and_refund(channel: Channel, number: str) -> None:
    channel.pay(number)
    channel.adapter.refund(channel.refund(f"R{number}", 100, number))

    trades = channel.browser.get(f"{channel.url}/control/trades").json()["trades"]
    refunds = channel.browser.get(f"{channel.url}/control/refunds").json()["refunds"]

    [trade] = [trade for trade in trades if trade["number"] == number]
    assert (trade["state"], trade["paid"], trade["refunded"]) == ("paid", 9900, 100)
    assert [refund["number"] for refund in refunds if refund["payment_number"] == number] == [
        f"R{number}"
    ]
    assert channel.browser.get(f"{channel.url}/control/trades/{number}X").status_code == 404


def test_a_days_statement_is_a_file_that_a_shop_can_read(channel: Channel, number: str) -> None:
    channel.pay(number)
    channel.adapter.refund(channel.refund(f"R{number}", 100, number))
    held = sum(
        trade["paid"] - trade["refunded"]
        for trade in channel.browser.get(f"{channel.url}/control/trades").json()["trades"]
    )
    remitted = channel.browser.post(f"{channel.url}/control/remittances").json()
    assert 0 < remitted["fee"] < remitted["amount"] <= held
    assert channel.browser.post(f"{channel.url}/control/remittances").status_code == 409

    today = clock.today("Asia/Shanghai")
    answer = channel.browser.get(f"{channel.url}/control/statement?day={today}")

    lines = {line.number: line for line in statement_files.read(answer.content)}
    assert lines[number] == TheirLine(LineKind.PAYMENT, number, 9900, "success")
    assert lines[f"R{number}"] == TheirLine(LineKind.REFUND, f"R{number}", 100, "success")
    sent = lines[remitted["number"]]
    assert (sent.kind, sent.amount, sent.fee) == (
        LineKind.REMITTANCE,
        remitted["amount"],
        remitted["fee"],
    )
    for day in ("today", "9999-12-31", ""):
        wrong = channel.browser.get(f"{channel.url}/control/statement?day={day}")
        assert wrong.status_code == 400


@pytest.mark.parametrize(
    ("address", "headers"),
    [
        ("10.0.0.7", {}),
        ("127.0.0.1", {"X-Forwarded-For": "203.0.113.7"}),
        ("127.0.0.1", {"Forwarded": "for=203.0.113.7"}),
    ],
)
def test_nobody_from_elsewhere_gets_in(
    tmp_path: Path, address: str, headers: dict[str, str]
) -> None:
    client = create(tmp_path / "sandbox.db", "M1", "k" * 32).test_client()

    def status(given: dict[str, str], remote: str) -> int:
        return client.get(
            "/control/trades", headers=given, environ_base={"REMOTE_ADDR": remote}
        ).status_code

    assert status(headers, address) == 404
    assert status({}, "127.0.0.1") == 200


@pytest.mark.parametrize(("merchant", "key"), [("", "k" * 32), ("M1", "")])
def test_there_is_no_channel_without_a_merchant_and_a_key(
    tmp_path: Path, merchant: str, key: str
) -> None:
    with pytest.raises(ValueError, match="needs a"):
        create(tmp_path / "sandbox.db", merchant, key)
