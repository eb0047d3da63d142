"""A friend's link: what is kept of it, and whose the order is that comes of it."""

import pytest
import sqlalchemy as sa
from werkzeug.test import TestResponse

from app.core.db import session, transaction
from app.domain.catalog import service as catalog
from app.domain.channels import links
from app.domain.channels.models import (
    Attribution,
    AttributionRule,
    Click,
    Distributor,
    DistributorState,
    ShareLink,
)
from app.domain.orders.models import Order
from tests import factories, people, sellers
from tests.web.deeds import checkout, count
from tests.web.visitors import Visitor, location

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

PHONE = {"User-Agent": "Mozilla/5.0 (Linux; Android 14; CUBOT X90) MicroMessenger/8.0"}


def link_of(distributor: Distributor, product: object = None) -> ShareLink:
    return transaction(lambda: links.link_of(distributor, product))  # type: ignore[arg-type]


def follow(visitor: Visitor, link: ShareLink | str, **headers: str) -> TestResponse:
    code = link if isinstance(link, str) else link.code
    return visitor.get(f"/s/{code}", headers=PHONE | headers)


def buy(visitor: Visitor, product: object, **values: object) -> Order:
    answer = visitor.post("/orders", checkout(product, **values), headers=PHONE)  # type: ignore[arg-type]
    assert answer.status_code == 303, answer.text
    session.rollback()
    return session.scalars(sa.select(Order).order_by(Order.id.desc())).first()  # type: ignore[return-value]


def attribution_of(order: Order) -> Attribution | None:
    return session.scalars(
        sa.select(Attribution).where(Attribution.order_id == order.id)
    ).one_or_none()


def test_a_link_leads_to_its_product_and_the_last_click_counts(guest: Visitor) -> None:
    first, last = sellers.make(), sellers.make()
    product = factories.make_product(codes=9)
    from_chat = {"Referer": "https://mp.weixin.qq.com/s/secret?token=1"}

    opened = follow(guest, link_of(first, product).code.lower() + "?utm_source=群&x=1", **from_chat)

    assert location(opened) == f"/products/{product.slug}"
    cookies = {one.split("=")[0]: one for one in opened.headers.getlist("Set-Cookie")}
    assert "HttpOnly" in cookies["click"] and "SameSite=Lax" in cookies["click"]
    assert "Max-Age=2592000" in cookies["click"]
    click = session.scalars(sa.select(Click)).one()
    assert (click.network, click.referrer) == ("203.0.113.0/24", "mp.weixin.qq.com")
    assert click.utm == {"utm_source": "群"} and click.device not in ("", cookies["device"])

    follow(guest, link_of(last))
    # Coming by herself changes nothing.
    guest.get("/", headers=PHONE)
    found = attribution_of(buy(guest, product))
    assert found is not None and found.distributor_id == last.id
    assert found.rule == AttributionRule.CLICK and not found.earns_nothing_because
    assert attribution_of(buy(Visitor(guest.app), product)) is None


def test_what_counts_for_nobody_leads_to_the_shop(guest: Visitor) -> None:
    seller = sellers.make()
    product = factories.make_product()
    link = link_of(seller, product)
    assert location(follow(guest, "NOBODYS")) == "/"
    transaction(lambda: catalog.take_off_sale(product.id))
    assert location(follow(guest, link)) == f"/products/{product.slug}"
    transaction(lambda: catalog.archive(product.id))
    assert location(follow(guest, link)) == "/"
    assert count(Click) == 1, "a page that is loaded again is no other visit"
    transaction(
        lambda: session.execute(sa.update(Distributor).values(state=DistributorState.SUSPENDED))
    )
    refused = follow(Visitor(guest.app), link)
    assert location(refused) == "/" and "Set-Cookie" not in refused.headers
    assert count(Click) == 1


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Purpose": "prefetch;prerender"},
        {"Purpose": "prefetch"},
        {"User-Agent": "Mozilla/5.0 (compatible; Baiduspider/2.0)"},
        {"User-Agent": "TelegramBot (like TwitterBot)"},
        {"User-Agent": ""},
    ],
)
def test_machines_are_led_on_and_not_counted(guest: Visitor, headers: dict[str, str]) -> None:
    link = link_of(sellers.make())
    assert location(follow(guest, link, **headers)) == "/"
    assert guest._open("HEAD", f"/s/{link.code}", headers=PHONE).status_code == 303
    assert count(Click) == 0 and guest.client.get_cookie("click") is None


def test_a_code_is_folded_away_filled_in_from_the_address_and_kept(guest: Visitor) -> None:
    seller = sellers.make(code="XIAOLI")
    product = factories.make_product()
    path = f"/products/{product.slug}"
    assert 'value="XIAOLI"' in guest.get(f"{path}?code=xiaoli").text
    assert 'value="NOBODY"' not in guest.get(f"{path}?code=NOBODY").text

    wrong = guest.post("/orders", checkout(product, referral_code="Xiaolu"))
    assert wrong.status_code == 422 and "没有这个推广码" in wrong.text
    assert 'value="Xiaolu"' in wrong.text and count(Order) == 0

    found = attribution_of(buy(guest, product, referral_code=" xiao li"))
    assert found is not None
    assert (found.distributor_id, found.rule) == (seller.id, AttributionRule.REFERRAL_CODE)


def test_a_followed_link_leaves_the_page_of_strangers_as_fast(guest: Visitor) -> None:
    """Whoever came by a link is served the page that is kept for everybody."""
    product = factories.make_product()
    follow(guest, link_of(sellers.make(), product))
    path = f"/products/{product.slug}"
    page = guest.get(path, headers=PHONE)
    asked: list[str] = []
    listen = ("before_cursor_execute", lambda *args: asked.append(args[2]))
    with guest.app.app_context():
        engine = session.get_bind()
    sa.event.listen(engine, *listen)
    try:
        again = guest.get(path, headers=PHONE)
    finally:
        sa.event.remove(engine, *listen)
    assert asked == []
    assert page.status_code == again.status_code == 200


@pytest.mark.parametrize("page", ["/portal", "/portal/share"])
def test_who_sells_and_buys_in_the_same_browser_earns_nothing(guest: Visitor, page: str) -> None:
    person = people.make()
    seller = sellers.make(person)
    product = factories.make_product(codes=9)
    own = Visitor(guest.app, person)
    follow(own, link_of(seller, product))

    signed_in = attribution_of(buy(own, product))
    own.get(page)
    own.client.delete_cookie("sid")
    signed_out = attribution_of(buy(own, product, checkout_key="j" * 22))

    assert signed_in is not None and signed_in.earns_nothing_because == "same_person"
    assert signed_out is not None and signed_out.earns_nothing_because == "same_device"
    # A cookie that somebody made up is no device.
    guest.client.set_cookie("device", "made.up")
    follow(guest, link_of(seller, product))
    friends = attribution_of(buy(guest, product))
    assert friends is not None and friends.earns_nothing_because == ""
