"""The share kit: for every product a link, its QR code and a poster."""

import segno
from flask import Blueprint, Response, current_app, redirect, request, url_for
from flask_babel import gettext as _

from app.core.db import session, transaction
from app.core.errors import Refusal
from app.domain.catalog import pictures, preferences
from app.domain.catalog import queries as catalog
from app.domain.catalog.models import Product
from app.domain.channels import expected, links
from app.domain.channels.models import ShareLink
from app.web import filters
from app.web.access import signed_in
from app.web.errors import words
from app.web.portal import holder, poster
from app.web.render import render
from app.web.shop import shelf

routes = Blueprint("share", __name__)


@routes.get("/portal/share")
@signed_in
def index() -> Response:
    """Everything there is to share, and what came of what was shared."""
    seller = holder.distributor()
    text = request.args.get("q", "").strip()[:100]
    cards = shelf.cards(catalog.on_sale(text=text))
    return render(
        "portal/share/index.html",
        distributor=seller,
        cards=cards,
        earns=expected.on_one_of_each(seller, [card.product for card in cards]),
        reaches=links.list_of(seller.id),
        text=text,
    )


@routes.post("/portal/share/links")
@signed_in
def create() -> Response:
    """Her link to a product or to the shop: the one she has, or a new one."""
    seller = holder.distributor()
    slug = request.form.get("product", "")
    product = catalog.find_public(slug) if slug else None
    campaign = request.form.get("campaign", "")
    try:
        code = transaction(lambda: links.link_of(seller, product, campaign).code)
    except Refusal as refusal:
        session.rollback()
        return _refused(refusal, request.form.get("from", ""), campaign)
    return redirect(url_for("portal.share.show", code=code), 303)  # type: ignore[return-value]


@routes.get("/portal/share/links/<code>")
@signed_in
def show(code: str) -> Response:
    return _page(links.find(holder.distributor().id, code))


@routes.get("/portal/share/links/<code>/poster.png")
@signed_in
def show_poster(code: str) -> Response:
    """The poster as a picture, to be kept on the phone and sent on."""
    link = links.find(holder.distributor().id, code)
    response = Response(poster.draw(_poster(link)), mimetype="image/png")
    if "download" in request.args:
        response.headers["Content-Disposition"] = f'attachment; filename="poster-{link.code}.png"'
    return response


def _refused(refusal: Refusal, code: str, campaign: str) -> Response:
    """On the page of the link from which she wanted another."""
    link = links.find(holder.distributor().id, code)
    return _page(link, campaign, {refusal.field: words(refusal)}, refusal.status)


def _page(
    link: ShareLink, campaign: str = "", errors: dict[str, str] | None = None, status: int = 200
) -> Response:
    seller = holder.distributor()
    url = _url(link)
    return render(
        "portal/share/show.html",
        status=status,
        distributor=seller,
        link=link,
        reach=links.reach_of([link])[0],
        url=url,
        qr=segno.make_qr(url, error="m").svg_data_uri(border=2, scale=4),
        campaign=campaign,
        errors=errors or {},
    )


def _url(link: ShareLink) -> str:
    base_url: str = current_app.config["SETTINGS"].base_url
    return base_url + url_for("shop.referral.show", code=link.code)


def _poster(link: ShareLink) -> poster.Poster:
    shop, product = preferences.get(), links.leads_to(link)
    name = product.name if product is not None else shop.name
    return poster.Poster(
        shop=shop.name,
        name=name,
        text=_("付款后自动发货") if product is not None else _("卡券与会员，付款后自动发货"),
        label=product.category.name if product is not None and product.category else "",
        price=filters.money(product.price) if product is not None else "",
        was=filters.money(product.compare_at) if product and product.compare_at else "",
        cover=filters.cover(name),
        glyph=filters.glyph(name),
        accent=shop.accent,
        url=_url(link),
        invitation=_("长按识别二维码"),
        by=_("%(name)s 推荐", name=link.distributor.name),
        picture=_picture(product),
    )


def _picture(product: Product | None) -> bytes:
    digest = catalog.picture_digests([product]).get(product.id) if product is not None else None
    return pictures.content_of(digest) if digest else b""
