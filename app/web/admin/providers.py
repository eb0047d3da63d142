"""Recharge providers in the console: set one up from its adapter's fields, watch its health."""

from collections.abc import Mapping

import sqlalchemy as sa
from flask import Blueprint, Response, flash, redirect, request, url_for
from flask_babel import gettext as _

from app.core import clock
from app.core.db import session, transaction
from app.core.errors import NotFound, Refusal
from app.domain.catalog.models import Offer, Product, RechargeProvider
from app.domain.recharges import health, providers, queries
from app.domain.recharges.providers import ProviderFields
from app.providers import recharges as adapters
from app.providers.recharges.interface import Field
from app.web.access import staff
from app.web.admin import todo
from app.web.admin.typed import Typed
from app.web.errors import words
from app.web.render import render

routes = Blueprint("providers", __name__)

PREFIX = "field_"
NUMBERS = ("concurrency", "per_minute")
CALLS_SHOWN = 50


@routes.get("/admin/providers")
@staff("providers.view")
def index() -> Response:
    rows = list(session.scalars(sa.select(RechargeProvider).order_by(RechargeProvider.name)))
    return render(
        "admin/providers/index.html",
        providers=rows,
        figures={row.id: health.figures_of(row.id) for row in rows},
        titles={name: _(adapter.title) for name, adapter in adapters.ADAPTERS.items()},
        is_low=providers.is_low,
        now=clock.now(),
    )


@routes.get("/admin/providers/new")
@staff("providers.change")
def new() -> Response:
    """First the adapter, then its fields: a form that works without a script."""
    chosen = request.args.get("adapter", "")
    if chosen not in adapters.ADAPTERS:
        return render(
            "admin/providers/choose.html",
            adapters=[(name, _(one.title)) for name, one in adapters.ADAPTERS.items()],
        )
    fields = adapters.ADAPTERS[chosen].fields
    texts = {PREFIX + field.name: field.default for field in fields}
    texts |= {"adapter": chosen, "concurrency": "8", "per_minute": "600", "is_on": "1"}
    return _form(None, chosen, Typed(texts))


@routes.post("/admin/providers")
@staff("providers.change", step_up=True)
def create() -> Response:
    typed = Typed(request.form)
    adapter = typed.text("adapter")
    if adapter not in adapters.ADAPTERS:
        return redirect(url_for("admin.providers.new"), 303)  # type: ignore[return-value]
    fields = _fields(typed, adapter, typed.text("slug"))
    if typed.errors:
        return _form(None, adapter, typed, 422)
    try:
        provider = transaction(lambda: providers.create(fields))
    except Refusal as refusal:
        session.rollback()
        _note(typed, refusal, adapter)
        return _form(None, adapter, typed, refusal.status)
    flash(_("供应商已添加。点“测试连接”看看能不能通"), "good")
    return _to(provider.slug)


@routes.get("/admin/providers/<slug>")
@staff("providers.view")
def show(slug: str) -> Response:
    provider = queries.find_provider(slug)
    return render(
        "admin/providers/show.html",
        provider=provider,
        title=_(providers.adapter_of(provider.adapter).title),
        figures=health.figures_of(provider.id),
        calls=queries.latest_calls_of(provider.id, CALLS_SHOWN),
        offers=session.execute(
            sa.select(Offer, Product)
            .join(Product, Product.id == Offer.product_id)
            .where(Offer.provider_id == provider.id)
            .order_by(Product.name)
        ).all(),
        notify_url=providers.notify_url(provider.id),
        is_low=providers.is_low(provider),
        now=clock.now(),
    )


@routes.get("/admin/providers/<slug>/edit")
@staff("providers.change")
def edit(slug: str) -> Response:
    provider = queries.find_provider(slug)
    texts = {PREFIX + name: text for name, text in providers.shown_values_of(provider).items()}
    texts |= {
        "name": provider.name,
        "slug": provider.slug,
        "concurrency": str(provider.concurrency),
        "per_minute": str(provider.per_minute),
        "low_balance_at": f"{provider.low_balance_at / 100:.2f}",
        "is_on": "1" if provider.is_on else "",
    }
    return _form(provider, provider.adapter, Typed(texts))


@routes.post("/admin/providers/<slug>")
@staff("providers.change", step_up=True)
def update(slug: str) -> Response:
    provider = queries.find_provider(slug)
    typed = Typed(request.form)
    provider_id, adapter = provider.id, provider.adapter
    fields = _fields(typed, adapter, provider.slug)
    if typed.errors:
        return _form(provider, adapter, typed, 422)
    try:
        transaction(lambda: providers.change(provider_id, fields))
    except Refusal as refusal:
        session.rollback()
        _note(typed, refusal, adapter)
        return _form(queries.find_provider(slug), adapter, typed, refusal.status)
    flash(_("供应商已保存"), "good")
    return _to(slug)


@routes.post("/admin/providers/<slug>/switch")
@staff("providers.change", step_up=True)
def create_switch(slug: str) -> Response:
    """Ask it no more from now on, or again."""
    provider = queries.find_provider(slug)
    provider_id, is_on = provider.id, not provider.is_on
    reason = request.form.get("reason", "")
    try:
        transaction(lambda: providers.switch(provider_id, is_on=is_on, reason=reason))
    except NotFound:
        raise
    except Refusal as refusal:
        session.rollback()
        flash(words(refusal), "bad")
    else:
        todo.forget()
        flash(_("已启用") if is_on else _("已停用，进行中的充值会继续查询"), "good")
    return _to(slug)


@routes.post("/admin/providers/<slug>/test")
@staff("providers.view")
def create_test(slug: str) -> Response:
    """Ask for the balance now: the quickest proof that address, key and signature are right."""
    provider = queries.find_provider(slug)
    provider_id = provider.id
    adapter = providers.adapter(provider_id)
    session.rollback()
    balance = adapter.balance()
    transaction(lambda: providers.take_balance(provider_id, balance))
    if balance.amount is None:
        flash(_("没有得到余额，请在下面的调用记录里看供应商怎么说"), "bad")
    else:
        flash(_("连接正常，余额 %(amount)s 元", amount=f"{balance.amount / 100:,.2f}"), "good")
    return _to(slug)


@routes.get("/admin/providers/<slug>/catalogue")
@staff("providers.view")
def show_catalogue(slug: str) -> Response:
    """What the provider sells, to copy numbers and costs from."""
    provider = queries.find_provider(slug)
    adapter = providers.adapter(provider.id)
    session.rollback()
    catalogue = adapter.catalogue()
    return render(
        "admin/providers/catalogue.html",
        provider=queries.find_provider(slug),
        items=catalogue.items,
    )


def _fields(typed: Typed, adapter: str, slug: str) -> ProviderFields:
    """The form as fields; every fault of reading is noted in `typed`."""
    known = adapters.ADAPTERS[adapter].fields
    numbers = {name: typed.whole(name) or 0 for name in NUMBERS}
    return ProviderFields(
        slug=slug,
        name=typed.text("name"),
        adapter=adapter,
        values={field.name: typed.text(PREFIX + field.name) for field in known},
        is_on=typed.text("is_on") == "1",
        low_balance_at=typed.money("low_balance_at") or 0,
        **numbers,
    )


def _note(typed: Typed, refusal: Refusal, adapter: str) -> None:
    """An adapter's field has a name of its own in the form."""
    if refusal.field in {field.name for field in adapters.ADAPTERS[adapter].fields}:
        refusal.field = PREFIX + refusal.field
    typed.note([refusal])


def _form(
    provider: RechargeProvider | None, adapter: str, typed: Typed, status: int = 200
) -> Response:
    return render(
        "admin/providers/form.html",
        status=status,
        provider=provider,
        adapter=adapter,
        title=_(adapters.ADAPTERS[adapter].title),
        fields=[_shown(field) for field in adapters.ADAPTERS[adapter].fields],
        form=typed,
    )


def _shown(field: Field) -> Mapping[str, object]:
    return {
        "name": PREFIX + field.name,
        "label": _(field.label),
        "hint": _(field.hint) if field.hint else "",
        "is_secret": field.is_secret,
        "is_required": field.is_required,
        "is_long": field.is_long,
        "choices": [(choice, choice) for choice in field.choices],
    }


def _to(slug: str) -> Response:
    return redirect(url_for("admin.providers.show", slug=slug), 303)  # type: ignore[return-value]
