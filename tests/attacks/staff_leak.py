"""A member of staff copies codes out of orders, one after the other."""

import sqlalchemy as sa

from app.core.db import session
from app.domain.accounts.models import Role
from app.domain.vault import watching
from app.domain.vault.alarm_models import Alarm
from app.domain.vault.models import Code, Reveal
from app.web.visitor import cookie_name
from tests import factories, people
from tests.attacks import target as house
from tests.attacks.crowd import Crowd
from tests.attacks.outcome import Outcome
from tests.attacks.target import Target

ORDERS = 60


def run(target: Target, scale: float) -> Outcome:
    """Codes seen beyond what a day of complaints explains."""
    orders = max(int(ORDERS * scale), watching.MOST_AN_HOUR + 5)
    with target.inside(), target.app.test_request_context():
        wanted = house.product(orders + 400)
        path = house.path_of(wanted)
        codes = []
        for _ in range(orders):
            order = factories.buy(wanted)
            code_id = session.scalars(
                sa.select(Code.id).where(Code.order_line_id == order.lines[0].id)
            ).one()
            codes.append((order.number, code_id))
        member = people.make(Role.SUPPORT)
        member_id, secret, cookie = member.id, people.sign_in(member), cookie_name()
    thief = target.attacker(50_000)
    thief.cookies[cookie] = secret
    with Crowd(lambda number: target.buy(number, path)) as crowd:
        shown = 0
        for number, code_id in codes:
            page = thief.get(f"/admin/orders/{number}")
            answer = thief.submit(page, f"/codes/{code_id}/reveal", reason="buyer asks")
            shown += "select-all strong" in answer.text
    with target.inside():
        kept = session.scalar(
            sa.select(sa.func.count(Reveal.id)).where(Reveal.actor == f"person:{member_id}")
        )
        alarms = session.scalar(
            sa.select(sa.func.count(Alarm.id)).where(Alarm.actor == f"person:{member_id}")
        )
    assert kept == shown, f"{shown} codes shown, {kept} written down"
    # The night's allowance is smaller still; by day this is the most.
    beyond = max(0, shown - watching.MOST_AN_HOUR)
    return Outcome(
        "staff leak",
        f"{orders} reveals one after the other",
        beyond + (0 if alarms else 1),
        f"{watching.MOST_AN_HOUR} an hour, fewer at night; saw {shown}",
        f"named by {alarms} alarm, {kept} reveals written down",
        crowd.people,
        tuple(crowd.troubles),
    )
