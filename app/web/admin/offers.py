"""Which providers deliver a product: costs, order, switch, and what each sale leaves."""

import sqlalchemy as sa
from flask import Blueprint, Response, flash, redirect, request, url_for
from flask_babel import gettext as _

from app.core.db import session, transaction
from app.core.errors import NotFound, Refusal
from app.domain.catalog import offers, queries
from app.domain.catalog.models import Product, RechargeProvider
from app.domain.catalog.offers import OfferFields
from app.domain.recharges import health
from app.web.access import staff
from app.web.admin.typed import Typed
from app.web.render import render

routes = Blueprint("offers", __name__)


@routes.get("/admin/products/<int:product_id>/offers")
@staff("products.view")
def index(product_id: int) -> Response:
    return _page(queries.find_product(product_id), Typed({"priority": "1"}))


@routes.post("/admin/products/<int:product_id>/offers")
@staff("products.change")
def create(product_id: int) -> Response:
    typed = Typed(request.form)
    fields = OfferFields(
        provider_id=typed.whole("provider_id") or 0,
        sku=typed.text("sku"),
        cost=_cost(typed),
        priority=typed.whole("priority") or 1,
    )
    if typed.errors:
        return _page(queries.find_product(product_id), typed, 422)
    try:
        transaction(lambda: offers.add_offer(product_id, fields))
    except NotFound:
        raise
    except Refusal as refusal:
        session.rollback()
        typed.note([refusal])
        return _page(queries.find_product(product_id), typed, refusal.status)
    flash(_("报价已添加"), "good")
    return _to(product_id)


@routes.post("/admin/products/<int:product_id>/offers/<int:offer_id>")
@staff("products.change")
def update(product_id: int, offer_id: int) -> Response:
    if offers.find_offer(offer_id).product_id != product_id:
        raise NotFound
    typed = Typed(request.form)
    cost, priority = _cost(typed), typed.whole("priority") or 1
    is_on = typed.text("is_on") == "1"
    if not typed.errors:
        try:
            transaction(
                lambda: offers.change_offer(offer_id, cost=cost, priority=priority, is_on=is_on)
            )
        except Refusal as refusal:
            session.rollback()
            typed.note([refusal])
    if typed.errors:
        flash(next(iter(typed.errors.values())), "bad")
    else:
        flash(_("报价已保存"), "good")
    return _to(product_id)


def _cost(typed: Typed) -> int:
    cost = typed.money("cost")
    if cost is None:
        typed.errors.setdefault("cost", _("请填写金额，例如 12.50"))
    return cost or 0


def _page(product: Product, form: Typed, status: int = 200) -> Response:
    found = queries.offers_of(product.id)
    providers = session.scalars(sa.select(RechargeProvider).order_by(RechargeProvider.name))
    return render(
        "admin/offers/index.html",
        status=status,
        product=product,
        offers=found,
        margins={offer.id: offers.margin(product, offer) for offer in found},
        figures={offer.id: health.figures_of(offer.provider_id) for offer in found},
        providers=[(str(one.id), one.name) for one in providers],
        form=form,
    )


def _to(product_id: int) -> Response:
    return redirect(url_for("admin.offers.index", product_id=product_id), 303)  # type: ignore[return-value]
