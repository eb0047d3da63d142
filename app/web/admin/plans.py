"""Commission plans in the console: drafts with their rules, what they would have meant for the
past, and the one that is published."""

from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from flask import Blueprint, Response, flash, redirect, request, url_for
from flask_babel import gettext as _

from app.core.db import session, transaction
from app.core.errors import NotFound, Refusal
from app.core.money import fen
from app.domain.catalog import preferences
from app.domain.catalog.models import Category, Product
from app.domain.channels import plans, simulating
from app.domain.channels.models import Distributor, Plan, Tier
from app.domain.channels.plans import PlanFields, RuleFields
from app.web import commission_words
from app.web.access import staff
from app.web.admin.actors import named
from app.web.admin.typed import Typed
from app.web.errors import words
from app.web.render import render

routes = Blueprint("plans", __name__)

SHOWN = 200
LOOK_BACK = timedelta(days=30)


@routes.get("/admin/plans")
@staff("channels.view")
def index() -> Response:
    found = session.scalars(sa.select(Plan).order_by(Plan.id.desc())).all()
    return render("admin/plans/index.html", plans=found, names=named(p.created_by for p in found))


@routes.post("/admin/plans")
@staff("channels.manage")
def create() -> Response:
    """A draft with the rules of the published plan."""
    plan_id = transaction(lambda: plans.make_draft().id)
    flash(_("草稿已建立，发布前不影响任何订单"), "good")
    return _to(plan_id)


@routes.get("/admin/plans/<int:plan_id>")
@staff("channels.view")
def show(plan_id: int) -> Response:
    return _page(plans.find(plan_id))


@routes.post("/admin/plans/<int:plan_id>")
@staff("channels.manage")
def update(plan_id: int) -> Response:
    typed = Typed(request.form)
    fields = PlanFields(typed.text("note"), _rate(typed, "pool_max") or 0)
    status = _refused(typed, lambda: plans.change(plan_id, fields))
    if status:
        return _page(plans.find(plan_id), about=typed, status=status)
    flash(_("方案已保存"), "good")
    return _to(plan_id)


@routes.post("/admin/plans/<int:plan_id>/deletion")
@staff("channels.manage")
def delete(plan_id: int) -> Response:
    def to_index() -> Response:
        return redirect(url_for("admin.plans.index"), 303)  # type: ignore[return-value]

    return _act(plan_id, plans.discard, _("草稿已删除"), to_index)


@routes.post("/admin/plans/<int:plan_id>/publication")
@staff("channels.manage", step_up=True)
def create_publication(plan_id: int) -> Response:
    return _act(plan_id, plans.publish, _("方案已发布，之后的订单按它计算佣金"))


@routes.post("/admin/plans/<int:plan_id>/two-levels")
@staff("channels.manage", step_up=True)
def create_two_levels(plan_id: int) -> Response:
    """Accept the text about two levels, as it was shown."""
    plans.find(plan_id)
    if request.form.get("accepted") != "1":
        flash(_("请先勾选“我已阅读并接受”"), "bad")
        return _to(plan_id)
    return _act(plan_id, plans.accept_two_levels, _("已开启二级佣金，现在可以添加二级的规则"))


@routes.post("/admin/plans/<int:plan_id>/two-levels/deletion")
@staff("channels.manage")
def delete_two_levels(plan_id: int) -> Response:
    return _act(plan_id, plans.use_one_level, _("已改为只有一级佣金"))


@routes.post("/admin/plans/<int:plan_id>/rules")
@staff("channels.manage")
def create_rule(plan_id: int) -> Response:
    typed = Typed(request.form)
    fields = _rule_fields(typed)
    status = _refused(typed, lambda: plans.add_rule(plan_id, fields))
    if status:
        return _page(plans.find(plan_id), rule=typed, status=status)
    flash(_("规则已添加"), "good")
    return _to(plan_id)


@routes.get("/admin/plans/<int:plan_id>/rules/<int:rule_id>")
@staff("channels.manage")
def show_rule(plan_id: int, rule_id: int) -> Response:
    rule = plans.find_rule(plan_id, rule_id)
    return _rule_page(plan_id, rule_id, Typed(commission_words.blank(rule)))


@routes.post("/admin/plans/<int:plan_id>/rules/<int:rule_id>")
@staff("channels.manage")
def update_rule(plan_id: int, rule_id: int) -> Response:
    plans.find_rule(plan_id, rule_id)
    typed = Typed(request.form)
    fields = _rule_fields(typed)
    status = _refused(typed, lambda: plans.change_rule(plan_id, rule_id, fields))
    if status:
        return _rule_page(plan_id, rule_id, typed, status)
    flash(_("规则已保存"), "good")
    return _to(plan_id)


@routes.post("/admin/plans/<int:plan_id>/rules/<int:rule_id>/deletion")
@staff("channels.manage")
def delete_rule(plan_id: int, rule_id: int) -> Response:
    return _act(plan_id, lambda plan: plans.remove_rule(plan, rule_id), _("规则已删除"))


@routes.get("/admin/plans/<int:plan_id>/simulation")
@staff("channels.view")
def show_simulation(plan_id: int) -> Response:
    """What the plan would have meant for what was delivered in a period."""
    plan = plans.find(plan_id)
    today = preferences.today()
    typed = Typed(request.args)
    since, until = typed.day("since") or today - LOOK_BACK, typed.day("until") or today
    if since > until:
        typed.errors["until"] = _("结束日期要晚于开始日期")
    outcome = None
    if not typed.errors:
        outcome = simulating.run(plan.id, _midnight(since), _midnight(until + timedelta(days=1)))
    return render(
        "admin/plans/simulation.html",
        plan=plans.find(plan_id),
        since=since.isoformat(),
        until=until.isoformat(),
        errors=typed.errors,
        outcome=outcome,
        shares=outcome.shares[:SHOWN] if outcome else (),
    )


def _page(
    plan: Plan, about: Typed | None = None, rule: Typed | None = None, status: int = 200
) -> Response:
    """A plan; `about` and `rule` are what came back in its two forms, with what is wrong."""
    own = {"note": plan.note, "pool_max": f"{plan.pool_max_bp / 100:g}"}
    return render(
        "admin/plans/show.html",
        status=status,
        plan=plan,
        rules=commission_words.written(plan.rules),
        about=about or Typed(own),
        form=rule or Typed(commission_words.blank(None)),
        depth_text=plans.DEPTH_TEXT,
        accepted_by=named([plan.depth_accepted_by]).get(plan.depth_accepted_by, ""),
        options=_options(plan),
    )


def _rule_page(plan_id: int, rule_id: int, typed: Typed, status: int = 200) -> Response:
    plan = plans.find(plan_id)
    return render(
        "admin/plans/rule.html",
        status=status,
        plan=plan,
        rule_id=rule_id,
        form=typed,
        options=_options(plan),
    )


def _options(plan: Plan) -> dict[str, list[tuple[str, str]]]:
    """What a rule's form offers to choose from."""
    models: tuple[tuple[str, type[Any]], ...] = (
        ("product_id", Product),
        ("category_id", Category),
        ("tier_id", Tier),
    )
    offered = {
        field: [
            ("", _("不限")),
            *(
                (str(key), name)
                for key, name in session.execute(sa.select(model.id, model.name).order_by(model.id))
            ),
        ]
        for field, model in models
    }
    levels = [("1", _("一级：成交的分销商"))]
    if plan.max_depth > 1:
        levels.append(("2", _("二级：分销商的上级")))
    return offered | {"level": levels}


def _rule_fields(typed: Typed) -> RuleFields:
    """The rule that was typed; what cannot be read is noted."""
    ends_on = typed.day("ends_on")
    return RuleFields(
        level=typed.whole("level") or 0,
        distributor_id=_distributor_id(typed),
        product_id=typed.whole("product_id") or None,
        category_id=typed.whole("category_id") or None,
        tier_id=typed.whole("tier_id") or None,
        campaign=typed.text("campaign"),
        percent_bp=_rate(typed, "percent") or 0,
        per_unit=typed.money("per_unit") or 0,
        cap_per_order=typed.money("cap_per_order"),
        cap_per_month=typed.money("cap_per_month"),
        min_margin_bp=_rate(typed, "min_margin"),
        starts_at=_start(typed.day("starts_on")),
        # Its last day is the last on which it counts.
        ends_at=_start(ends_on + timedelta(days=1) if ends_on and ends_on < date.max else ends_on),
    )


def _distributor_id(typed: Typed) -> int | None:
    code = typed.text("code").upper()
    if not code:
        return None
    found = session.scalar(sa.select(Distributor.id).where(Distributor.code == code))
    if found is None:
        typed.errors["code"] = _("没有分销商用这个推广码")
    return found


def _rate(typed: Typed, name: str) -> int | None:
    """A percentage with at most two decimals, in basis points; None when nothing was typed."""
    text = typed.text(name).removesuffix("%")
    try:
        # A hundredth of a percent is to a percent what a fen is to a yuan.
        return fen(text) if text else None
    except ValueError:
        typed.errors[name] = _("请填写百分数，例如 5 或 2.5")
        return None


def _start(day: date | None) -> datetime | None:
    return _midnight(day) if day is not None else None


def _midnight(day: date) -> datetime:
    # At the ends of the calendar there is no midnight in every zone.
    day = min(max(day, date(2000, 1, 1)), date(2999, 12, 31))
    return datetime.combine(day, time(), ZoneInfo(preferences.get().zone))


def _refused(typed: Typed, deed: Callable[[], object]) -> int:
    """Do what a form asks for; 0 when it is done, else the status of what is noted in the form."""
    if typed.errors:
        return 422
    try:
        transaction(deed)
    except NotFound:
        raise
    except Refusal as refusal:
        session.rollback()
        typed.note([refusal])
        return refusal.status
    return 0


def _act(
    plan_id: int,
    deed: Callable[[int], object],
    done: str,
    then: Callable[[], Response] | None = None,
) -> Response:
    """Do it and come back, with a word on what was done or why not."""
    try:
        transaction(lambda: deed(plan_id))
    except NotFound:
        raise
    except Refusal as refusal:
        session.rollback()
        flash(words(refusal), "bad")
        return _to(plan_id)
    flash(done, "good")
    return then() if then else _to(plan_id)


def _to(plan_id: int) -> Response:
    return redirect(url_for("admin.plans.show", plan_id=plan_id), 303)  # type: ignore[return-value]
