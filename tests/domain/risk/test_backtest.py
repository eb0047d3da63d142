"""A draft over the past, and who is linked with whom."""

import pytest
import sqlalchemy as sa

from app.core import clock
from app.core.db import session, transaction
from app.domain.orders import aftermath
from app.domain.risk import backtest, cases, conditions, decisions, linking, rule_changes
from app.domain.risk.backtest import Draft, Outcome
from app.domain.risk.models import Decision, Key, Label, RiskEvent
from tests import factories
from tests.domain.risk.shopping import order

pytestmark = pytest.mark.usefixtures("rules", "channel", "audited")

CHEAP, DEAR = 45_000, 60_000


def run(slug: str, *thresholds: int, rollout: int = 100) -> Outcome:
    session.rollback()
    rule = rule_changes.find(slug)
    condition = conditions.with_thresholds(conditions.parse(rule.condition), list(thresholds))
    return backtest.run(rule, Draft(condition, rollout), aftermath.of, clock.now())


def test_a_draft_is_judged_on_the_values_that_were_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    cheap = factories.make_product(codes=9, price=CHEAP)
    dear = factories.make_product(codes=9, price=DEAR)
    for number, product in enumerate((cheap, cheap, cheap, dear, dear)):
        placed = order(product, device=f"browser {number}", ip=f"198.51.{number}.1")
        assert placed.payment is not None
        factories.settle(placed.payment)
    good, bad = (case.uid for case in cases.queue())
    transaction(lambda: cases.approve(good, Label.FALSE_POSITIVE, "", trust=False))
    transaction(lambda: cases.reject(bad, Label.FRAUD, "", block=False))
    factories.work()

    outcome = run("new_account_high_value", 24, 40_000)

    assert (outcome.looked_at, outcome.lacking, outcome.is_all) == (5, 0, True)
    assert (outcome.now.decisions, outcome.then.decisions) == (2, 5)
    assert (outcome.added, outcome.spared, outcome.bad) == (3, 0, 1)
    then = outcome.then
    assert (len(then.orders), then.paid, then.refunded) == (5, 5, 1)
    assert then.money == 3 * CHEAP + 2 * DEAR
    assert (then.precision, outcome.recall, then.is_noise) == (50, 100, False)
    monkeypatch.setattr(backtest, "ENOUGH_LABELS", 1)
    then.good += 1
    assert then.is_noise

    spared = run("new_account_high_value", 24, 90_000)
    assert (spared.then.decisions, spared.spared, spared.recall) == (0, 2, 0)
    assert run("new_account_high_value", 24, 40_000, rollout=0).then.decisions == 0
    # Nothing of it was kept: neither a version nor a decision.
    assert rule_changes.find("new_account_high_value").version == 1

    monkeypatch.setattr(backtest, "MOST", 4)
    monkeypatch.setattr(backtest, "CHUNK", 2)
    bounded = run("new_account_high_value", 24, 40_000)
    assert (bounded.looked_at, bounded.is_all) == (4, False)


def test_what_was_not_kept_is_not_guessed(monkeypatch: pytest.MonkeyPatch) -> None:
    product = factories.make_product(codes=9)
    for number in range(3):
        order(product, device=f"browser {number}")

    def lose_a_trial() -> None:
        row = session.scalars(sa.select(Decision).order_by(Decision.id).limit(1)).one()
        row.trials = [one for one in row.trials if one["rule"] != "many_orders_captcha"]

    transaction(lose_a_trial)
    outcome = run("many_orders_captcha", 1)
    assert (outcome.looked_at, outcome.lacking) == (3, 1)
    # The second and third had orders before them; nobody paid, so no money is affected.
    assert (outcome.now.decisions, outcome.then.decisions, outcome.then.money) == (0, 2, 0)

    tallies = decisions.tally(clock.now())
    assert (tallies.judged["many_orders_captcha"], tallies.true["many_orders_captcha"]) == (2, 0)
    assert (tallies.looked_at, tallies.is_all) == (3, True)
    monkeypatch.setattr(decisions, "PART", 1)
    monkeypatch.setattr(decisions, "MOST_TALLIED", 2)
    tallies = decisions.tally(clock.now())
    assert (tallies.looked_at, tallies.is_all) == (2, False)


def test_orders_that_share_something_are_linked() -> None:
    product = factories.make_product(codes=9)
    phones = [factories.contact() for _ in range(3)]
    ips = [f"198.51.{number}.1" for number in range(4)]
    first = order(product, phone=phones[0], device="a", ip=ips[0]).order
    same_phone = order(product, phone=phones[0], device="b", ip=ips[1]).order
    same_device = order(product, phone=phones[1], device="a", ip=ips[2]).order
    # Linked with the second by its device, and with the first by nothing.
    order(product, phone=phones[2], device="b", ip=ips[3])
    next_door = order(product, ip=ips[0].removesuffix("1") + "9", device="c").order

    event = session.scalars(sa.select(RiskEvent).where(RiskEvent.order_id == first.id)).one()
    whose = {key: getattr(event, key.value) for key in Key if getattr(event, key.value)}
    graph = linking.graph(whose, first.id)

    found = {link.key: link.order_ids for link in graph.links}
    assert found == {
        Key.DEVICE: [same_device.id],
        Key.CONTACT: [same_phone.id],
        Key.NETWORK: [next_door.id],
    }
    assert graph.further == 1
