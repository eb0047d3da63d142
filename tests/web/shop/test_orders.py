"""An order in its buyer's browser: what comes too late is said on the order as it is now."""

import pytest
import sqlalchemy as sa

from app.core.db import session
from app.domain.orders.models import Payment
from tests import factories
from tests.web.deeds import checkout
from tests.web.visitors import Visitor

pytestmark = [
    pytest.mark.parametrize("database_url", ["sqlite"], indirect=True),
    pytest.mark.usefixtures("audited"),
]


def place(guest: Visitor) -> Payment:
    """The open payment of an order in this browser's hand."""
    answer = guest.post("/orders", checkout(factories.make_product(codes=3)))
    assert answer.status_code == 303, answer.text
    (payment,) = session.scalars(sa.select(Payment))
    return payment


@pytest.mark.parametrize(
    ("deed", "sentence"),
    [("payment", "这个订单已经不能付款了"), ("cancellation", "这个订单已经不能取消了")],
)
def test_a_page_of_before_the_payment_leads_to_the_paid_order(
    guest: Visitor, deed: str, sentence: str
) -> None:
    payment = place(guest)
    factories.settle(payment)

    late = guest.post(f"/orders/{payment.order.number}/{deed}", {"channel": "sandbox"})

    assert late.status_code == 409
    assert sentence in late.text
    assert 'data-state="delivered"' in late.text and 'data-testid="reveal"' in late.text


def test_a_channel_that_there_is_not_is_said_on_the_order(guest: Visitor) -> None:
    payment = place(guest)

    answer = guest.post(f"/orders/{payment.order.number}/payment", {"channel": "gold"})

    assert answer.status_code == 422
    assert "请选择付款方式" in answer.text and 'data-testid="pay"' in answer.text


def test_the_download_is_text_in_a_known_encoding(guest: Visitor) -> None:
    payment = place(guest)
    factories.settle(payment)

    file = guest.post(f"/orders/{payment.order.number}/download")

    assert file.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert file.data.startswith(b"\xef\xbb\xbf# ")
