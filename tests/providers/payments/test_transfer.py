"""Bank transfer: a channel without servers answers what such a channel must."""

from datetime import UTC, datetime

import pytest

from app.providers.callbacks import Callback, Forged
from app.providers.payments.interface import (
    Charge,
    Closing,
    RefundOrder,
    RefundOutcome,
    StandingState,
)
from app.providers.payments.transfer import Transfer

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def test_the_buyer_reads_where_to_transfer_to() -> None:
    charge = Charge(
        number="P1",
        amount=9900,
        currency="CNY",
        subject="card",
        expires_at=NOW,
        return_url="https://shop.test/",
        notify_url="https://shop.test/hooks",
        client_ip="203.0.113.7",
        pay_into="硬架商店\n某某银行 6222 0000 0000 0000",
    )

    start = Transfer().start(charge)

    assert (start.kind, start.url, start.text) == ("instructions", "", charge.pay_into)


def test_nobody_calls_back_for_a_bank() -> None:
    with pytest.raises(Forged):
        Transfer().parse_callback(Callback("POST", "/", [], {}, b"{}", NOW))
    assert Transfer().acknowledge(False).status == 400


def test_only_staff_know_of_the_money() -> None:
    order = RefundOrder("R1", "P1", "", 9900, 9900, "CNY", "bad code")

    assert Transfer().query("P1").state is StandingState.UNKNOWN
    assert Transfer().close("P1") is Closing.CLOSED
    assert Transfer().refund(order).outcome is RefundOutcome.PENDING
    assert Transfer().query_refund(order).outcome is RefundOutcome.PENDING
