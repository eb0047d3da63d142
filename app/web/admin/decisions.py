"""What risk decided and why: found by the number that a buyer was told, explained in sentences."""

from collections.abc import Iterator
from dataclasses import dataclass

import sqlalchemy as sa
from flask import Blueprint, Response, flash, redirect, request, url_for
from flask_babel import gettext as _

from app.core.db import session, transaction
from app.core.errors import N_, Refusal
from app.domain.orders.models import Order
from app.domain.risk import decisions, restrictions
from app.domain.risk.models import Action, Checkpoint, Decision, Key, RuleMode
from app.domain.risk.rules import MOST_SCORE, TRUST, of_band
from app.web import risk_words, state_words
from app.web.access import staff
from app.web.admin.listing import Choice, Days, Listing, Search, Sort
from app.web.admin.typed import Typed
from app.web.render import render
from app.web.risk_words import Told

routes = Blueprint("decisions", __name__)

# Enough of a hash to see that two are the same.
SHORT = 8
# What the form says for a freeze that only lifting ends.
LIFTED = "lifted"


@dataclass(frozen=True)
class Step:
    """One step of the score: from where to where it leads, and by how much."""

    name: str
    score: int
    start: int
    end: int

    @property
    def left(self) -> int:
        return min(self.start, self.end)

    @property
    def width(self) -> int:
        return abs(self.end - self.start)


def matches(text: str) -> sa.ColumnElement[bool]:
    """Its own number, or its order's."""
    number = text.upper()
    of_order = sa.select(Order.id).where(Order.number == number)
    return sa.or_(Decision.uid == number, Decision.order_id.in_(of_order))


LIST = Listing(
    name="decisions",
    model=Decision,
    search=Search(matches, N_("判定编号、订单号")),
    choices=(
        Choice(
            "checkpoint",
            N_("场景"),
            risk_words.checkpoints,
            lambda value: Decision.checkpoint == Checkpoint(value),
        ),
        Choice(
            "action",
            N_("结果"),
            lambda: state_words.options("risk_action"),
            lambda value: Decision.action == Action(value),
        ),
    ),
    days=Days(Decision.at),
    sorts=(Sort("newest", N_("最新在前"), (Decision.id.desc(),)),),
)


@routes.get("/admin/risk/decisions")
@staff("risk.view")
def index() -> Response:
    asked = LIST.ask(request.args)
    uid = session.scalar(sa.select(Decision.uid).where(Decision.uid == asked.text.upper()))
    if uid is not None:
        return redirect(url_for("admin.decisions.show", uid=uid), 303)  # type: ignore[return-value]
    found = sa.select(Decision)
    if not asked.text and "action" not in asked.chosen:
        # What was let go is of no interest unless it is asked for.
        found = found.where(Decision.action.in_(decisions.STOPPED))
    return LIST.answer(
        found,
        "admin/decisions/index.html",
        checkpoints=dict(risk_words.checkpoints()),
        why=lambda decision: risk_words.listed(_reasons(decision, _told(decision))),
    )


@routes.get("/admin/risk/decisions/<uid>")
@staff("risk.view")
def show(uid: str) -> Response:
    return _page(uid, Typed({}))


@routes.post("/admin/risk/decisions/<uid>/freezing")
@staff("risk.review", step_up=True)
def create_freezing(uid: str) -> Response:
    """Freeze whom, or what, it was about: everywhere, for a time or until it is lifted."""
    decision, typed = decisions.find(uid), Typed(request.form)
    key = typed.text("key")
    known = {name: value for name, value in decision.keys.items() if name == key}
    if not known:
        typed.errors["key"] = _("请选择要冻结的对象")
        return _page(uid, typed, 422)
    key_hash = bytes.fromhex(known[key])
    days = None if typed.text("days") == LIFTED else typed.whole("days") or 0
    try:
        transaction(
            lambda: restrictions.freeze(Key(key), key_hash, uid, days, typed.text("reason"))
        )
    except Refusal as refusal:
        session.rollback()
        typed.note([refusal])
        return _page(uid, typed, refusal.status)
    flash(_("已冻结，立即生效"), "good")
    return redirect(url_for("admin.decisions.show", uid=uid), 303)  # type: ignore[return-value]


def _page(uid: str, typed: Typed, status: int = 200) -> Response:
    decision = decisions.find(uid)
    told = _told(decision)
    steps = list(_steps(decision, told))
    lowest = min([0, *(step.left for step in steps)])
    highest = max([MOST_SCORE, *(step.left + step.width for step in steps)])
    return render(
        "admin/decisions/show.html",
        status=status,
        typed=typed.texts,
        errors=typed.errors,
        can_freeze=[
            (key, _(risk_words.KEY_TITLES[key]))
            for key in restrictions.FREEZABLE
            if key in decision.keys
        ],
        days=[
            *((days, risk_words.duration(days * 24 * 60)) for days in restrictions.DAYS),
            (LIFTED, _("直到解除")),
        ],
        decision=decision,
        place=dict(risk_words.checkpoints())[decision.checkpoint],
        reasons=list(_reasons(decision, told)),
        steps=steps,
        scale=(lowest, highest - lowest),
        band=of_band(decision.checkpoint, decision.score),
        fired=[one for one in told if one.is_true],
        others=[one for one in told if not one.is_true],
        facts=risk_words.facts(decision.inputs),
        keys=[
            (_(risk_words.KEY_TITLES[key]), value[:SHORT]) for key, value in decision.keys.items()
        ],
        order=session.get(Order, decision.order_id) if decision.order_id else None,
        restrictions=decisions.restrictions_by(decision),
        case=decisions.case_by(decision),
    )


def _told(decision: Decision) -> list[Told]:
    return [risk_words.trial(one) for one in decision.trials]


def _reasons(decision: Decision, told: list[Told]) -> Iterator[str]:
    """Why it came out as it did, what weighs most first."""
    inputs = decision.inputs
    if decision.failed_as:
        yield _("有规则无法判定，按预定的保守方式处理")
    if inputs.get("proved"):
        yield _("已完成验证，所以放行")
    if inputs.get("blocked"):
        yield _("在黑名单上")
    if decision.trusted:
        yield _("在信任名单上，只有阻止对它有效")
    if inputs.get("frozen") and not inputs.get("restricted_by"):
        yield _("之前被店员冻结，还没有结束")
    if inputs.get("restricted_by"):
        yield _("之前的限制还没有结束：%(rule)s", rule=risk_words.name_of(inputs["restricted_by"]))
    spared = inputs.get("spared", [])
    for slug in spared:
        yield _("熟客，不受所在网络的限制：%(rule)s", rule=risk_words.name_of(slug))
    yield from (_of_rule(one, decision) for one in told if _asks(one) and one.slug not in spared)
    if of_band(decision.checkpoint, decision.score) != Action.ALLOW:
        yield _("风险分 %(score)s", score=decision.score)


def _asks(one: Told) -> bool:
    """Whether a rule asks for anything by itself, and not only by its score."""
    return one.is_true and one.mode == RuleMode.ON and one.action != Action.ALLOW


def _of_rule(one: Told, decision: Decision) -> str:
    if decision.trusted and one.action != Action.BLOCK:
        return str(_("%(rule)s（因为信任没有执行）", rule=one.name))
    return one.name


def _steps(decision: Decision, told: list[Told]) -> Iterator[Step]:
    """The score, rule by rule: each begins where the one before ended."""
    at = 0
    scores = [
        (one.name, one.score)
        for one in told
        if one.is_true and one.mode == RuleMode.ON and one.score
        if one.slug not in decision.inputs.get("spared", [])
    ]
    if decision.trusted:
        scores.append((_("在信任名单上"), -TRUST))
    for name, score in scores:
        yield Step(name, score, at, at + score)
        at += score
