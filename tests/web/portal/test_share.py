"""The share kit: each distributor's own links, their pages and posters."""

import io

import pytest
import sqlalchemy as sa
from PIL import Image

from app.core.db import session
from app.domain.catalog import preferences
from app.domain.channels.models import Click, ShareLink
from app.web.portal import poster
from tests import channels, factories, people, sellers
from tests.web.deeds import count
from tests.web.visitors import Visitor, location

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

POSTER = poster.Poster(
    shop="硬架小店",
    name="星河视频会员 月卡 🎮 with a Very Long English Name that goes on and on 还要更长的名字",
    text="付款后自动发货",
    label="视频会员",
    price="¥25.00",
    was="¥30.00",
    cover=1,
    glyph="星",
    accent="pine",
    url="https://shop.example/s/7KQ3MWZP",
    invitation="长按识别二维码",
    by="小李 推荐",
)


def seller_of(app: object, **values: object) -> Visitor:
    person = people.make()
    sellers.make(person, **values)
    return Visitor(app, person)  # type: ignore[arg-type]


def test_a_product_becomes_a_link_a_code_and_a_poster(guest: Visitor) -> None:
    product = factories.make_product(name="星河会员")
    seller = seller_of(guest.app, code="XIAOLI")
    assert "每件赚" not in seller.get("/portal/share").text, "there is no plan"
    channels.published_plan({"percent_bp": 800, "cap_per_order": 200})
    listed = seller.get("/portal/share")
    assert "星河会员" in listed.text and "XIAOLI" in listed.text
    assert "每件赚 ¥2.00" in listed.text, "8 % of ¥30.00, capped"

    path = location(seller.post("/portal/share/links", {"product": product.slug}))
    assert location(seller.post("/portal/share/links", {"product": product.slug})) == path
    page = seller.get(path)
    link = session.scalars(sa.select(ShareLink)).one()
    assert f"http://localhost/s/{link.code}" in page.text and "0 次点击" in page.text
    assert 'src="data:image/svg+xml' in page.text

    picture = seller.get(f"{path}/poster.png")
    with Image.open(io.BytesIO(picture.data)) as drawn:
        assert (drawn.format, drawn.size) == ("PNG", (1080, 1440))
    saved = seller.get(f"{path}/poster.png?download=1")
    assert saved.headers["Content-Disposition"].startswith("attachment")

    shop = location(seller.post("/portal/share/links", {"campaign": "读书群"}))
    assert "读书群" in seller.get(shop).text
    refused = seller.post("/portal/share/links", {"campaign": "长" * 21, "from": link.code})
    assert refused.status_code == 422 and "长" * 21 in refused.text
    assert seller.get(f"{shop}/poster.png").status_code == 200
    assert count(ShareLink) == 2 and count(Click) == 0


def test_nobody_has_anothers_links(guest: Visitor) -> None:
    factories.make_product()
    path = location(seller_of(guest.app).post("/portal/share/links"))
    other = seller_of(guest.app)
    for address in (path, f"{path}/poster.png"):
        assert other.get(address).status_code == 404
        assert location(guest.get(address)).startswith("/account/sign-in")
    buyer = Visitor(guest.app, people.make())
    assert location(buyer.get("/portal/share")) == "/portal/application"
    assert location(buyer.post("/portal/share/links")) == "/portal/application"


def test_a_poster_is_in_the_shops_colours_and_loses_no_letter_it_has(guest: Visitor) -> None:
    tokens = (poster.FONT.parents[2] / "static" / "css" / "tokens.css").read_text()
    covers = (poster.FONT.parents[2] / "static" / "css" / "cover.css").read_text()
    assert set(poster.ACCENTS) == set(preferences.ACCENTS)
    assert all(colour in tokens for colour in [*poster.ACCENTS.values(), poster.PAPER])
    for number, (dark, light) in enumerate(poster.COVERS, 1):
        assert f".cover--{number} {{ --cover-from: {dark}; --cover-to: {light}; }}" in covers
    assert poster._drawable("点卡 🎮 100 元 ¥臺灣") == "点卡 100 元 ¥臺灣"
    lines = poster._lines(POSTER.name, 56, poster.COVER[0], 2)
    assert len(lines) == 2 and lines[1].endswith("…")
    assert all(poster._font(56).getlength(line) <= poster.COVER[0] for line in lines)
    assert poster.draw(POSTER) != poster.draw(POSTER_OF_ANOTHER)


POSTER_OF_ANOTHER = poster.Poster(**(vars(POSTER) | {"cover": 4, "price": "", "was": ""}))
