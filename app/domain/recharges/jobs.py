"""What workers do for recharges. One job carries one recharge until it is settled.

Each run does one step: it writes the intent, calls with no transaction open, and returns the unit
that writes the outcome, which says when to run again.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial

from app.core import clock
from app.core.crashpoints import crashpoint
from app.core.db import session, transaction
from app.core.outbox import Unit
from app.domain.recharges import engine, providers, service
from app.domain.recharges.engine import Deed, Step
from app.providers.recharges.interface import Outcome, Provider, Result, Wanted

# A provider that takes each number once is sent it again only after its own answer had time.
SEND_AGAIN_AFTER = timedelta(seconds=10)


def recharge_line(order_line_id: int) -> Unit | None:
    """Recharge what a paid order line bought."""
    return _carry(partial(service.begin_line, order_line_id))


def recharge_redemption(redemption_id: int) -> Unit | None:
    """Recharge what a redeemed code is good for."""
    return _carry(partial(service.begin_redemption, redemption_id))


def watch_balance(provider_id: int) -> Unit | None:
    """Ask a provider what is left of our deposit, and again in a while."""
    provider = providers.adapter(provider_id)
    session.rollback()
    return partial(providers.take_balance, provider_id, provider.balance())


def _carry(begin: Callable[[], int | None]) -> Unit | None:
    recharge_id = transaction(begin)
    if recharge_id is None:
        return None
    step = transaction(partial(engine.next_step, recharge_id))
    if step is None:
        return None
    if step.deed is Deed.WAIT:
        return lambda: step.at
    crashpoint("recharge.intended")
    provider = providers.adapter(step.provider_id)
    notify_url = providers.notify_url(step.provider_id)
    # Whoever is called may take a while: nothing is held open meanwhile.
    session.rollback()
    wanted = Wanted(step.number, step.sku, step.account, step.quantity, step.cost_limit, notify_url)
    result = provider.submit(wanted) if step.deed is Deed.SEND else _ask(provider, step, wanted)
    crashpoint("recharge.called")
    return partial(_take, step, provider, result)


def _ask(provider: Provider, step: Step, wanted: Wanted) -> Result:
    """What became of it; what never reached a provider that takes each number once is sent."""
    result = provider.query(step.number, step.at)
    may_send = (
        result.outcome is Outcome.NOT_FOUND
        and provider.takes_number_once
        and clock.now() - step.at > SEND_AGAIN_AFTER
    )
    if not may_send or not transaction(partial(engine.sending_again, step.attempt_id)):
        return result
    crashpoint("recharge.intended_again")
    again = provider.submit(wanted)
    if again.outcome is Outcome.REFUSED:
        # It speaks of this sending; the one before may have taken effect all the same.
        return replace(again, outcome=Outcome.UNKNOWN)
    return again


def _take(step: Step, provider: Provider, result: Result) -> object:
    is_final = clock.now() - step.at > provider.not_found_is_final_after
    again_at = engine.take(step.attempt_id, result, not_found_is_final=is_final)
    session.flush()
    crashpoint("recharge.taken")
    return again_at
