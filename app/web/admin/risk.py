"""The home of risk in the console: what waits, what holds, what was stopped lately."""

from datetime import timedelta

import sqlalchemy as sa
from flask import Blueprint, Response

from app.core import clock
from app.core.db import session
from app.domain.orders.models import Order, OrderState
from app.domain.risk import cases, decisions
from app.domain.risk.models import Case, Decision, Restriction, Rule, RuleMode
from app.web import risk_words, state_words
from app.web.access import staff
from app.web.render import render

routes = Blueprint("risk", __name__)

LATELY = timedelta(days=7)
SHOWN = 6


@routes.get("/admin/risk")
@staff("risk.view")
def show() -> Response:
    now = clock.now()
    stopped = sa.select(Decision).where(Decision.action.in_(decisions.STOPPED))
    counts = session.execute(
        sa.select(Decision.action, sa.func.count())
        .where(Decision.at > now - LATELY, Decision.action.in_(decisions.STOPPED))
        .group_by(Decision.action)
    ).all()
    modes = session.execute(sa.select(Rule.state, sa.func.count()).group_by(Rule.state)).all()
    return render(
        "admin/risk/show.html",
        waiting=cases.count_open(),
        overdue=_count(sa.select(Case.id).where(Case.state.in_(cases.OPEN), Case.due_at < now)),
        held=_held(),
        restricted=_count(
            sa.select(Restriction.id).where(
                Restriction.until > now, Restriction.lifted_at.is_(None)
            )
        ),
        stopped=sum(int(n) for _action, n in counts),
        actions=[f"{state_words.word('risk_action', action)} {n}" for action, n in counts],
        modes={mode.value: 0 for mode in RuleMode} | {mode.value: int(n) for mode, n in modes},
        latest=session.scalars(stopped.order_by(Decision.id.desc()).limit(SHOWN)).all(),
        checkpoints=dict(risk_words.checkpoints()),
        days=LATELY.days,
    )


def _held() -> int:
    """What buyers have paid for orders that are held, in minor units."""
    held = sa.select(sa.func.sum(Order.total)).where(Order.state == OrderState.HELD)
    return int(session.scalar(held) or 0)


def _count(select: sa.Select[int]) -> int:
    return int(session.scalar(sa.select(sa.func.count()).select_from(select.subquery())) or 0)
