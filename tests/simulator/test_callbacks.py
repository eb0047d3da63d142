"""What the merchant is told, how it is signed, and how often it is sent."""

from app.core import clock
from tests.servers import wait_until
from tests.simulator.conftest import Simulator, account
from tests.simulator.tongues import MERCHANT, Tongue, beijing


def form_about(simulator: Simulator, name: str, number: str) -> dict[str, str]:
    simulator.hear(number, "delivered")
    [form] = [form for form in simulator.merchant.forms if form.get(name) == number]
    return form


def test_a_callback_is_repeated_until_it_is_answered(
    simulator: Simulator, tongue: Tongue, number: str
) -> None:
    simulator.merchant.refusals[number] = [500, 302]

    tongue.order(number, account())
    wait_until(lambda: simulator.is_told(number), "the third try")

    told = simulator.merchant.of(number)
    assert len(told) == 3
    assert len(set(told)) == 1
    [callback] = simulator.record(number)["callbacks"]
    assert (callback["tries"], callback["answer"]) == (3, "200")


def test_200_is_not_success(simulator: Simulator, tongue: Tongue, number: str) -> None:
    simulator.merchant.refusals[number] = [200]

    tongue.order(number, account())
    wait_until(lambda: simulator.is_told(number), "the second try")

    assert len(simulator.merchant.of(number)) == 2


def test_the_plain_callback(simulator: Simulator, number: str) -> None:
    heard = simulator.plain.order(number, account(), sku="10000103")
    assert heard.what == "no_such_sku"
    heard = simulator.plain.order(number, account(), sku="10000102", quantity=10)

    form = form_about(simulator, "number", number)

    assert abs(int(form.pop("timestamp")) - clock.now().timestamp()) < 60
    assert len(form.pop("sign")) == 64
    assert form == {
        "number": number,
        "state": "delivered",
        "reference": heard.reference,
        "message": "充值成功",
        "cost": "1380.00",
        "serial": heard.serial,
    }


def test_the_callback_of_fulu(simulator: Simulator, number: str) -> None:
    heard = simulator.fulu.order(number, account(), sku="10000203")

    form = form_about(simulator, "customer_order_no", number)

    assert abs((beijing(form.pop("charge_finish_time")) - clock.now()).total_seconds()) < 60
    assert len(form.pop("sign")) == 32
    assert form == {
        "order_id": heard.reference,
        "customer_order_no": number,
        "order_status": "success",
        "recharge_description": "充值成功",
        "product_id": "10000203",
        "price": "98.5000",
        "buy_num": "1",
        "operator_serial_number": heard.serial,
    }


def test_an_order_that_names_no_address_is_not_called_back(
    simulator: Simulator, number: str
) -> None:
    fields = {"number": number, "account": account(), "sku": "10000101", "quantity": "1"}

    answer = simulator.plain.call("POST", "/plain/orders", fields | {"notify_url": ""})

    assert answer.json()["state"] == "delivered"
    assert simulator.record(number)["callbacks"] == []


def test_the_merchant_is_told_again_on_request(simulator: Simulator, number: str) -> None:
    simulator.plain.order(number, account())
    simulator.hear(number, "delivered")

    simulator.control("POST", f"/orders/{number}/callbacks")

    first, second = simulator.merchant.of(number)
    assert first == second


def test_a_callback_does_not_name_the_merchant_s_secrets(simulator: Simulator, number: str) -> None:
    simulator.plain.order(number, account())
    simulator.hear(number, "delivered")

    [told] = simulator.record(number)["callbacks"]
    assert "k" * 8 not in told["body"]
    assert MERCHANT not in told["body"]
