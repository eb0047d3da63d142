"""The control page: what it shows, what its forms do, and whose forms they are."""

import re

import httpx
import pytest

from tests.simulator.conftest import Simulator, account
from tests.simulator.test_control import calm as calm  # noqa: PLC0414  a fixture
from tests.simulator.tongues import KEY


def page(simulator: Simulator, language: str = "zh") -> httpx.Response:
    return simulator.http.get(
        f"{simulator.url}/control", headers={"Accept-Language": f"{language};q=0.9"}
    )


def send(simulator: Simulator, path: str, headers: dict[str, str], **form: str) -> int:
    return simulator.http.post(
        f"{simulator.url}/control/page/{path}", data=form, headers=headers
    ).status_code


def test_the_page_shows_the_table_the_orders_and_no_account(
    simulator: Simulator, number: str
) -> None:
    to = account("1003")
    simulator.plain.order(number, to)

    shown = page(simulator)

    assert shown.status_code == 200
    for words in ("充值供应商模拟器", "下单超时，其实已经到账", number, f"138****{to[-4:]}"):
        assert words in shown.text
    assert to not in shown.text
    assert KEY not in shown.text
    assert 'lang="zh-CN"' in shown.text
    assert shown.headers["Cache-Control"] == "no-store"


def test_the_page_speaks_english(simulator: Simulator) -> None:
    shown = page(simulator, "en-GB,en")

    assert "Times out although it was delivered" in shown.text
    assert 'lang="en"' in shown.text


def test_the_page_lets_no_script_in(simulator: Simulator) -> None:
    shown = page(simulator)

    policy = shown.headers["Content-Security-Policy"]
    assert "default-src 'none'; script-src 'self'; style-src 'self'" in policy
    assert "form-action 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert " style=" not in shown.text
    assert "<script>" not in shown.text
    for address in re.findall(r'(?:href|src)="(/control/assets/[^"#]+)', shown.text):
        assert simulator.http.get(f"{simulator.url}{address}").status_code == 200
    assert simulator.http.get(f"{simulator.url}/control/assets/1/key").status_code == 404


def test_a_form_chooses_for_every_order_and_another_stops_it(calm: Simulator, number: str) -> None:
    assert send(calm, "faults", {}, number="*", like="2001") == 303
    assert "取消对每一笔的指定" in page(calm).text
    assert calm.plain.order(f"{number}A", account()).what == "bad_account"

    assert send(calm, "faults", {}, number="*") == 303
    assert "取消对每一笔的指定" not in page(calm).text
    assert calm.plain.order(f"{number}B", account()).what == "delivered"


def test_a_form_takes_the_provider_down(calm: Simulator, number: str) -> None:
    assert send(calm, "conditions", {}, down="refuses", latency="3") == 303

    assert calm.plain.order(number, account()).what == "503"
    conditions = calm.control("GET", "/conditions")
    assert (conditions["down"], conditions["latency"]) == ("refuses", 3)
    # What the form does not speak of stays.
    assert conditions["fulu_notify_url"].endswith("/fulu-hook")


@pytest.mark.parametrize(
    ("path", "form"),
    [
        ("conditions", {"down": "yes", "latency": "0"}),
        ("conditions", {"down": "", "latency": "-1"}),
        ("conditions", {"down": "", "latency": "60001"}),
        ("conditions", {}),
        ("faults", {"number": "", "like": "0000"}),
        ("faults", {"number": "*", "like": "9999"}),
    ],
)
def test_a_form_without_sense_is_refused(
    simulator: Simulator, path: str, form: dict[str, str]
) -> None:
    assert send(simulator, path, {}, **form) == 400


@pytest.mark.parametrize("site", ["cross-site", "same-site", "none"])
def test_another_site_s_form_changes_nothing(simulator: Simulator, site: str) -> None:
    headers = {"Sec-Fetch-Site": site}

    assert send(simulator, "faults", headers, number="*", like="2001") == 403
    assert "取消对每一笔的指定" not in page(simulator).text
