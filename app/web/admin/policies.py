"""A product's rules of use in the console: a form, and the versions that were sold."""

from datetime import date, datetime, time, timedelta

from flask import Blueprint, Response, flash, redirect, request, url_for
from flask_babel import gettext as _

from app.core.db import session, transaction
from app.core.errors import N_, NotFound, Refusal
from app.domain.catalog import queries
from app.domain.catalog.models import Product
from app.domain.redemptions import policies
from app.domain.redemptions.validity import Anchor, Policy
from app.web import rules_of_use, spans
from app.web.access import staff
from app.web.admin.typed import Typed
from app.web.render import render

routes = Blueprint("policies", __name__)

ANCHORS = {
    Anchor.FIXED: N_("不从某一刻算起"),
    Anchor.SOLD: N_("付款时"),
    Anchor.DELIVERED: N_("到货时"),
    Anchor.ACTIVATED: N_("激活时"),
    Anchor.FIRST_USED: N_("首次使用时"),
}
SPANS = ("delay", "duration", "min_gap")


@routes.get("/admin/products/<int:product_id>/rules")
@staff("products.view")
def show(product_id: int) -> Response:
    policy = policies.current(product_id)
    return _page(queries.find_product(product_id), Typed(_as_text(policy)))


@routes.post("/admin/products/<int:product_id>/rules")
@staff("products.change")
def create(product_id: int) -> Response:
    """Another version: what was sold keeps its own."""
    typed = Typed(request.form)
    days = request.form.getlist("weekdays")
    policy = _policy(typed, days)
    if typed.errors:
        return _page(queries.find_product(product_id), typed, 422, days)
    try:
        version = transaction(lambda: policies.set_policy(product_id, policy))
    except NotFound:
        raise
    except Refusal as refusal:
        session.rollback()
        typed.note([refusal])
        return _page(queries.find_product(product_id), typed, refusal.status, days)
    flash(_("从现在起按第 %(n)s 版规则出售；已售出的不受影响", n=version.version), "good")
    return redirect(url_for("admin.policies.show", product_id=product_id), 303)  # type: ignore[return-value]


def _page(
    product: Product, form: Typed, status: int = 200, days: list[str] | None = None
) -> Response:
    current = policies.current(product.id)
    return render(
        "admin/policies/show.html",
        status=status,
        product=product,
        form=form,
        days={int(day) for day in days if day.isdigit()} if days is not None else current.weekdays,
        anchors=[(anchor.value, _(label)) for anchor, label in ANCHORS.items()],
        versions=[
            (version, rules_of_use.sentences(Policy.from_json(version.rules)))
            for version in policies.versions_of(product.id)
        ],
    )


def _as_text(policy: Policy) -> dict[str, str]:
    zone = rules_of_use.shop_zone()
    return {
        "anchor": policy.anchor.value,
        "start_at": f"{policy.start_at.astimezone(zone):%Y-%m-%dT%H:%M}" if policy.start_at else "",
        "end_at": f"{policy.end_at.astimezone(zone):%Y-%m-%dT%H:%M}" if policy.end_at else "",
        "end_of_day": "1" if policy.end_of_day else "",
        "hours": "\n".join(f"{start:%H:%M}-{end:%H:%M}" for start, end in policy.hours),
        "blackout": "\n".join(sorted(day.isoformat() for day in policy.blackout)),
        "uses_total": str(policy.uses_total or ""),
        "uses_per_day": str(policy.uses_per_day or ""),
        "undo_minutes": str(int(policy.undo_within.total_seconds() // 60)),
        **{name: spans.words(getattr(policy, name)) for name in SPANS},
    }


def _policy(typed: Typed, days: list[str]) -> Policy:
    """The form as rules; what cannot be read is noted in `typed`."""
    anchor = typed.text("anchor")
    minutes = typed.whole("undo_minutes")
    return Policy(
        anchor=Anchor(anchor) if anchor in set(Anchor) else Anchor.FIXED,
        start_at=_moment(typed, "start_at"),
        end_at=_moment(typed, "end_at"),
        end_of_day=typed.text("end_of_day") == "1",
        weekdays=frozenset(int(day) for day in days if day in set("1234567")),
        hours=_hours(typed),
        blackout=_dates(typed),
        uses_total=typed.whole("uses_total"),
        uses_per_day=typed.whole("uses_per_day"),
        undo_within=timedelta(minutes=15 if minutes is None else min(minutes, 100_000)),
        **{name: spans.iso(typed.text(name)) for name in SPANS},
    )


def _moment(typed: Typed, name: str) -> datetime | None:
    """A moment of the shop's clock, as browsers send it."""
    if not typed.text(name):
        return None
    try:
        return datetime.fromisoformat(typed.text(name)).replace(tzinfo=rules_of_use.shop_zone())
    except ValueError:
        typed.errors[name] = _("请填写日期和时间，例如 2026-12-31 18:00")
        return None


def _hours(typed: Typed) -> tuple[tuple[time, time], ...]:
    found = []
    for line in typed.text("hours").splitlines():
        start, _dash, end = line.replace("–", "-").replace("：", ":").partition("-")
        try:
            found.append((time.fromisoformat(start.strip()), time.fromisoformat(end.strip())))
        except ValueError:
            typed.errors["hours"] = _("每行一个时段，例如 09:00-18:00；过零点写 22:00-02:00")
    return tuple(found)


def _dates(typed: Typed) -> frozenset[date]:
    found = set()
    for line in typed.text("blackout").split():
        try:
            found.add(date.fromisoformat(line))
        except ValueError:
            typed.errors["blackout"] = _("每行一个日期，例如 2026-10-01")
    return frozenset(found)
