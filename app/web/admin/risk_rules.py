"""The rules of risk: each a sentence with its switch; what a change would have meant, and who
changed what."""

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from flask import Blueprint, Response, flash, redirect, request, url_for
from flask_babel import gettext as _

from app.core import clock
from app.core.db import session, transaction
from app.core.errors import N_, Conflict, NotFound, Refusal
from app.domain.catalog import preferences
from app.domain.orders import aftermath
from app.domain.risk import backtest, conditions, decisions, rule_changes
from app.domain.risk.backtest import Draft, Outcome
from app.domain.risk.conditions import Comparison, Condition
from app.domain.risk.models import Rule, RuleMode
from app.domain.risk.rule_changes import MINUTES, RuleFields
from app.domain.risk.rules import LASTING
from app.web import risk_words, state_words
from app.web.access import staff
from app.web.admin import rule_history
from app.web.admin.typed import Typed
from app.web.render import render

routes = Blueprint("risk_rules", __name__)

# Facts that are true or not have no threshold to set.
YES_OR_NO = ("watched", "disposable_email")


@routes.get("/admin/risk/rules")
@staff("risk.view")
def index() -> Response:
    found = rule_changes.all_rules()
    tallies = decisions.tally(clock.now())
    return render(
        "admin/risk_rules/index.html",
        places=[
            (words, [rule for rule in found if rule.checkpoint == checkpoint])
            for checkpoint, words in risk_words.checkpoints()
        ],
        name_of=risk_words.name_of,
        sentence=risk_words.rule_sentence,
        tallies=tallies,
        days=decisions.TALLIED.days,
    )


@routes.get("/admin/risk/rules/<slug>")
@staff("risk.view")
def show(slug: str) -> Response:
    rule = rule_changes.find(slug)
    return _page(rule, Typed(_blank(rule)))


@routes.post("/admin/risk/rules/<slug>")
@staff("risk.change", step_up=True)
def update(slug: str) -> Response:
    rule = rule_changes.find(slug)
    typed = Typed(request.form)
    fields, seen_version = _fields(rule, typed), typed.whole("version") or 0
    if typed.errors:
        return _page(rule, typed, status=422)
    try:
        transaction(lambda: rule_changes.change(slug, fields, seen_version))
    except NotFound:
        raise
    except Refusal as refusal:
        session.rollback()
        typed.note([refusal])
        return _page(rule_changes.find(slug), typed, status=refusal.status)
    flash(_("规则已保存，立即生效"), "good")
    return redirect(url_for("admin.risk_rules.show", slug=slug), 303)  # type: ignore[return-value]


@routes.post("/admin/risk/rules/<slug>/backtest")
@staff("risk.change")
def create_backtest(slug: str) -> Response:
    """What was typed, over the past; nothing is saved."""
    rule = rule_changes.find(slug)
    typed = Typed(request.form)
    fields = _fields(rule, typed)
    if typed.errors:
        return _page(rule, typed, status=422)
    condition = conditions.with_thresholds(_condition(rule), fields.thresholds)
    draft = Draft(condition, fields.rollout)
    return _page(rule, typed, backtest.run(rule, draft, aftermath.of, clock.now()))


def _page(rule: Rule, typed: Typed, outcome: Outcome | None = None, status: int = 200) -> Response:
    comparisons = list(conditions.comparisons(_condition(rule)))
    return render(
        "admin/risk_rules/show.html",
        status=status,
        rule=rule,
        name=risk_words.name_of(rule.slug),
        sentence=risk_words.rule_sentence(rule),
        place=dict(risk_words.checkpoints())[rule.checkpoint],
        asked=[
            (
                _field_of(number),
                risk_words.comparison_words(one, risk_words.OPEN),
                _between(one),
                risk_words.is_money(one),
            )
            for number, one in enumerate(comparisons)
            if one.subject not in YES_OR_NO
        ],
        lasts=rule.action in LASTING,
        minutes=MINUTES,
        modes=state_words.options("risk_rule"),
        form=typed,
        outcome=outcome,
        look_back=backtest.LOOK_BACK.days,
        history=rule_history.of(rule_changes.versions_of(rule)),
    )


def _condition(rule: Rule) -> Condition:
    try:
        return conditions.parse(rule.condition)
    except conditions.BadCondition:
        raise Conflict(N_("这条规则无法读取，不能在这里修改")) from None


def _blank(rule: Rule) -> dict[str, str]:
    """The form as the rule stands."""
    texts = {
        _field_of(number): _typed(one)
        for number, one in enumerate(conditions.comparisons(_condition(rule)))
    }
    last_day = rule.expires_at and _day(rule.expires_at - timedelta(seconds=1))
    return texts | {
        "mode": rule.state.value,
        "minutes": str(rule.minutes),
        "rollout": str(rule.rollout),
        "expires_on": last_day.isoformat() if last_day else "",
    }


def _fields(rule: Rule, typed: Typed) -> RuleFields:
    """The rule that was typed; what cannot be read or is out of bounds is noted at its field."""
    comparisons = conditions.comparisons(_condition(rule))
    mode, rollout = typed.text("mode"), typed.whole("rollout")
    return RuleFields(
        mode=RuleMode(mode) if mode in set(RuleMode) else rule.state,
        thresholds=[_threshold(typed, number, one) for number, one in enumerate(comparisons)],
        minutes=typed.whole("minutes") or 0,
        rollout=-1 if rollout is None else rollout,
        expires_at=_end_of(typed.day("expires_on")),
    )


def _threshold(typed: Typed, number: int, comparison: Comparison) -> int:
    if comparison.subject in YES_OR_NO:
        return comparison.threshold
    name = _field_of(number)
    value = typed.money(name) if risk_words.is_money(comparison) else typed.whole(name)
    limits = comparison.limits
    if value is None or not limits.least <= value <= limits.most:
        typed.errors.setdefault(name, _between(comparison))
    return comparison.threshold if value is None else value


def _between(comparison: Comparison) -> str:
    least, most = comparison.limits.least, comparison.limits.most
    number = risk_words.number_words
    return _(
        "请填写 %(least)s 到 %(most)s",
        least=number(comparison, least),
        most=number(comparison, most),
    )


def _typed(comparison: Comparison) -> str:
    """A threshold as it is typed: an amount in yuan."""
    if not risk_words.is_money(comparison):
        return str(comparison.threshold)
    return f"{comparison.threshold / 100:.2f}".removesuffix(".00")


def _field_of(number: int) -> str:
    return f"threshold-{number}"


def _end_of(day: date | None) -> datetime | None:
    """The end of a day in the shop's zone: it is the last on which the rule counts."""
    if day is None:
        return None
    # At the end of the calendar there is no day after.
    day = min(max(day, date(2000, 1, 1)), date(2999, 12, 31))
    zone = ZoneInfo(preferences.get().zone)
    return datetime.combine(day + timedelta(days=1), time(), zone)


def _day(at: datetime) -> date:
    return at.astimezone(ZoneInfo(preferences.get().zone)).date()
