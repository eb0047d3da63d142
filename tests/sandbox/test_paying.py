"""The buyer's side: the page, the button, and the way back."""

import threading
from datetime import timedelta
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx
import pytest

from app.core.crypto import Secret
from app.providers.payments import signing
from app.providers.payments.interface import Closing, StandingState
from tests.sandbox.conftest import KEY, Channel


def resigned(link: str, **changes: str) -> str:
    """The same link with other fields, genuinely signed by the merchant."""
    fields = dict(parse_qsl(urlsplit(link).query)) | changes
    fields.pop("sign")
    fields["sign"] = signing.sign_fields(Secret(KEY), fields)
    return f"{link.partition('?')[0]}?{urlencode(fields)}"


def test_paying_tells_the_merchant_and_leads_back(channel: Channel, number: str) -> None:
    page = channel.browser.get(channel.link(number))
    assert 'data-testid="sandbox-pay"' in page.text
    assert channel.adapter.query(number).state is StandingState.UNPAID

    back = channel.pay(number)

    assert (back.status_code, back.headers["Location"]) == (303, f"{channel.merchant.url}/orders/1")
    [notice] = channel.merchant.of(number)
    standing = channel.adapter.query(number)
    assert (notice.is_paid, notice.amount, notice.currency) == (True, 9900, "CNY")
    assert (standing.state, standing.amount) == (StandingState.PAID, 9900)
    assert notice.trade_number == standing.trade_number == channel.trade(number)["trade_number"]


def test_the_page_says_what_is_paid_to_whom_and_until_when(channel: Channel, number: str) -> None:
    page = channel.browser.get(channel.link(number, subject="<b>卡</b>"))

    assert page.status_code == 200
    for words in (
        "沙箱支付渠道",
        "99.00",
        "M00000001",
        number,
        "&lt;b&gt;卡&lt;/b&gt;",
        'data-seconds="89',
        'lang="zh-CN"',
    ):
        assert words in page.text
    assert page.headers["Cache-Control"] == "no-store"


def test_the_page_speaks_english_when_the_merchant_or_the_browser_does(
    channel: Channel, number: str
) -> None:
    asked = channel.browser.get(channel.link(number, language="en-GB"))
    link = resigned(channel.link(number), lang="")
    preferred = channel.browser.get(link, headers={"Accept-Language": "en-US,en;q=0.9"})

    for page in (asked, preferred):
        assert "Sandbox payments" in page.text
        assert 'lang="en"' in page.text


def test_the_page_lets_no_script_in_and_forms_lead_back_only(channel: Channel, number: str) -> None:
    page = channel.browser.get(channel.link(number))

    policy = dict(
        part.strip().split(" ", 1) for part in page.headers["Content-Security-Policy"].split(";")
    )
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == "'self'"
    assert policy["form-action"] == f"'self' {channel.merchant.url}"
    assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert " style=" not in page.text
    assert "<script>" not in page.text


def test_paying_twice_pays_once(channel: Channel, number: str) -> None:
    answers: list[httpx.Response] = []
    link = channel.link(number)
    threads = [
        threading.Thread(target=lambda: answers.append(channel.pay(number, link))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [answer.status_code for answer in answers] == [303] * 8
    assert len(channel.trade(number)["callbacks"]) == 1
    page = channel.browser.get(link)
    assert 'data-testid="sandbox-pay"' not in page.text
    assert "已经支付" in page.text


def test_nobody_pays_after_the_deadline(channel: Channel, number: str) -> None:
    link = channel.link(number, lasts=timedelta(seconds=-1))

    for page in (channel.browser.get(link), channel.pay(number, link)):
        assert page.status_code == 410
        assert "已过付款截止时间" in page.text
    assert channel.adapter.query(number).state is StandingState.UNPAID


def test_nobody_pays_a_closed_trade(channel: Channel, number: str) -> None:
    link = channel.link(number)
    channel.browser.get(link)

    assert channel.adapter.close(number) is Closing.CLOSED

    for page in (channel.browser.get(link), channel.pay(number, link)):
        assert page.status_code == 410
        assert "交易已关闭" in page.text
    assert channel.adapter.query(number).state is StandingState.CLOSED


def test_a_trade_can_be_closed_before_anybody_opens_it(channel: Channel, number: str) -> None:
    assert channel.adapter.query(number).state is StandingState.NOT_FOUND
    assert channel.adapter.close(number) is Closing.CLOSED

    assert channel.pay(number).status_code == 410
    assert channel.adapter.query(number).state is StandingState.CLOSED


def test_a_paid_trade_is_not_closed(channel: Channel, number: str) -> None:
    channel.pay(number)

    assert channel.adapter.close(number) is Closing.ALREADY_PAID
    assert channel.adapter.query(number).state is StandingState.PAID


@pytest.mark.parametrize("attempt", range(5))
def test_a_trade_is_paid_or_closed_and_both_sides_know_which(
    channel: Channel, number: str, attempt: int
) -> None:
    link, start = channel.link(number), threading.Barrier(2)
    paid: list[int] = []

    def buy() -> None:
        start.wait()
        paid.append(channel.pay(number, link).status_code)

    buyer = threading.Thread(target=buy)
    buyer.start()
    start.wait()
    closing = channel.adapter.close(number)
    buyer.join()

    assert (paid[0], closing, channel.trade(number)["state"]) in {
        (303, Closing.ALREADY_PAID, "paid"),
        (410, Closing.CLOSED, "closed"),
    }


def test_a_number_belongs_to_one_amount(channel: Channel, number: str) -> None:
    channel.browser.get(channel.link(number, amount=100))

    assert channel.pay(number, channel.link(number, amount=1)).status_code == 409
    assert channel.trade(number)["state"] == "unpaid"


@pytest.mark.parametrize(
    "changes",
    [
        {"merchant": "M2"},
        {"amount": "0"},
        {"amount": "-5"},
        {"amount": "1.5"},
        {"currency": "EUR"},
        {"expires_at": "soon"},
        {"number": ""},
        {"number": "1" * 65},
        {"return_url": "javascript:alert(1)"},
        {"return_url": "//evil.test/"},
        {"return_url": "http://[evil/"},
        {"notify_url": "file:///etc/passwd"},
    ],
)
def test_a_signed_link_without_sense_is_refused(
    channel: Channel, number: str, changes: dict[str, str]
) -> None:
    link = resigned(channel.link(number), **changes)

    assert channel.browser.get(link).status_code == 400
    assert channel.pay(number, link).status_code == 400


@pytest.mark.parametrize("field", ["amount", "number", "return_url", "notify_url", "expires_at"])
def test_a_link_changed_on_its_way_is_refused(channel: Channel, number: str, field: str) -> None:
    link = channel.link(number)
    fields = dict(parse_qsl(urlsplit(link).query))
    fields[field] += "1"
    changed = f"{link.partition('?')[0]}?{urlencode(fields)}"

    page = channel.pay(number, changed)

    assert page.status_code == 400
    assert "支付链接无效" in page.text
    assert channel.adapter.query(number).state is StandingState.NOT_FOUND
    assert channel.browser.get(f"{channel.url}/pay").status_code == 400
