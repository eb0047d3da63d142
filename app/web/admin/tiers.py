"""The tiers of distributors: one page to see, add and change them."""

from collections.abc import Callable

from flask import Blueprint, Response, flash, redirect, request, url_for
from flask_babel import gettext as _

from app.core.db import session, transaction
from app.core.errors import NotFound, Refusal
from app.core.money import fen
from app.domain.channels import purchasing, queries, tiers
from app.domain.channels.tiers import TierFields
from app.web.access import staff
from app.web.admin.typed import Typed
from app.web.render import render

routes = Blueprint("tiers", __name__)

NEW = 0


@routes.get("/admin/tiers")
@staff("channels.view")
def index() -> Response:
    return _page()


@routes.post("/admin/tiers")
@staff("channels.manage")
def create() -> Response:
    return _change(NEW, tiers.create, _("等级已添加"))


@routes.post("/admin/tiers/<int:tier_id>")
@staff("channels.manage")
def update(tier_id: int) -> Response:
    return _change(tier_id, lambda fields: tiers.change(tier_id, fields), _("等级已保存"))


def _change(tier_id: int, change: Callable[[TierFields], object], done: str) -> Response:
    """Do what the form of this tier asks for; a refusal gives it back as it was typed."""
    typed = Typed(request.form)
    fields = TierFields(
        name=typed.text("name"),
        threshold=typed.money("threshold") or 0,
        discount_bp=_percent(typed, "discount"),
    )
    if typed.errors:
        return _page(typed, tier_id, 422)
    try:
        transaction(lambda: change(fields))
    except NotFound:
        raise
    except Refusal as refusal:
        session.rollback()
        typed.note([refusal])
        return _page(typed, tier_id, refusal.status)
    flash(done, "good")
    return redirect(url_for("admin.tiers.index"), 303)  # type: ignore[return-value]


def _percent(typed: Typed, name: str) -> int:
    """A percentage with at most two decimals, in basis points; 0 when nothing was typed."""
    text = typed.text(name).removesuffix("%")
    try:
        # A hundredth of a percent is to a percent what a fen is to a yuan.
        return fen(text) if text else 0
    except ValueError:
        typed.errors[name] = _("请填写百分数，例如 5 或 2.5")
        return 0


def _page(typed: Typed | None = None, of: int = NEW, status: int = 200) -> Response:
    """All tiers, each with its form; `typed` is what came back in the form of the tier `of`."""
    ladder = queries.list_tiers()
    forms = {NEW: Typed({})} | {
        tier.id: Typed(
            {
                "name": tier.name,
                "threshold": f"{tier.threshold / 100:.2f}",
                "discount": f"{tier.discount_bp / 100:g}",
            }
        )
        for tier in ladder
    }
    if typed is not None:
        forms[of] = typed
    return render(
        "admin/tiers/index.html",
        status=status,
        tiers=ladder,
        forms=forms,
        counts=queries.count_by_tier(),
        below_cost=purchasing.below_cost(ladder),
        days=tiers.WINDOW.days,
    )
