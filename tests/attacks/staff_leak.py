"""A member of staff copies codes out of orders, one after the other."""

import re
from dataclasses import dataclass
from functools import partial
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from app.core import clock
from app.core.db import session
from app.domain.accounts.models import Role
from app.domain.catalog import preferences
from app.domain.catalog.models import Product
from app.domain.vault import watching
from app.domain.vault.alarm_models import Alarm
from app.domain.vault.models import Code, Reveal
from app.domain.vault.rules import last_four
from tests import factories
from tests.attacks import target as house
from tests.attacks.crowd import Crowd
from tests.attacks.outcome import Outcome, control
from tests.attacks.target import Member, Target

ORDERS = 60
# Who reads the reasons reads a sentence, as in the shop's own language.
REASON = "买家说兑换不了"
SHOWN = re.compile(r'<code class="select-all strong">([^<]+)</code>')


@dataclass(frozen=True)
class Sold:
    """A code of somebody's order."""

    number: str
    code_id: int
    last_four: str


def run(target: Target, scale: float) -> Outcome:
    """Codes seen beyond what a day of complaints explains."""
    orders = max(int(ORDERS * scale), watching.MOST_AN_HOUR + 5)
    with target.inside():
        wanted = house.product(orders + 400)
        path = house.path_of(wanted)
        *codes, last = [_sell(wanted) for _ in range(orders + 1)]
        allowance = _allowance()
    thief, colleague = target.member(Role.SUPPORT), target.member(Role.SUPPORT)
    with Crowd(partial(target.buy, path=path), house.crowd_of(scale)) as crowd:
        shown = sum(_is_shown(thief, sold) for sold in codes)
    with target.inside():
        alarms = session.scalar(
            sa.select(sa.func.count(Alarm.id)).where(Alarm.actor == thief.actor)
        )
        kept = session.scalar(
            sa.select(sa.func.count(Reveal.id)).where(Reveal.actor == thief.actor)
        )
    control(kept == shown, f"each code that was shown is written down: {shown} and {kept}")
    control(shown, "codes are shown to her at all")
    return Outcome(
        "staff leak",
        f"{orders} reveals one after the other",
        max(0, shown - allowance) + (0 if alarms else 1),
        f"{allowance} in this hour of the day; saw {shown}",
        f"named by {alarms} alarm, {kept} reveals written down",
        control(_is_shown(colleague, last), "a colleague still sees the code she asks for"),
        crowd.people,
        tuple(crowd.troubles),
    )


def _sell(product: Product) -> Sold:
    order = factories.buy(product)
    code = session.scalars(sa.select(Code).where(Code.order_line_id == order.lines[0].id)).one()
    return Sold(order.number, code.id, code.last_four)


def _is_shown(member: Member, sold: Sold) -> bool:
    """Whether the console shows her the very code."""
    page = member.browser.get(f"/admin/orders/{sold.number}")
    answer = member.browser.submit(page, f"/codes/{sold.code_id}/reveal", reason=REASON)
    found = SHOWN.search(answer.text)
    return found is not None and last_four(found[1]) == sold.last_four


def _allowance() -> int:
    """What staff may see in an hour: fewer at night."""
    hour = clock.now().astimezone(ZoneInfo(preferences.get().zone)).hour
    return watching.MOST_A_NIGHT_HOUR if hour < watching.NIGHT_ENDS else watching.MOST_AN_HOUR
