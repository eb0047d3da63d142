"""What workers do for payouts: one job carries one submission until it has ended.

Each run does one step: it writes the intent, calls with no transaction open, and returns the unit
that writes the outcome, which says when to run again.
"""

from functools import partial

from app.core import clock
from app.core.crashpoints import crashpoint
from app.core.db import session, transaction
from app.core.outbox import Unit
from app.domain.payouts import paying, statements
from app.domain.payouts.paying import Step
from app.domain.payouts.rules import may_send_again
from app.providers import payouts
from app.providers.payouts.interface import Outcome, Provider, Result


def pay(withdrawal_id: int) -> Unit | None:
    """Send a submitted withdrawal to its channel, or ask what became of it."""
    step = transaction(partial(paying.next_step, withdrawal_id))
    if step is None:
        return None
    crashpoint("payout.intended")
    session.rollback()
    provider = payouts.provider(step.method)
    result = (
        provider.submit(step.transfer) if step.is_first else _ask(provider, step, withdrawal_id)
    )
    crashpoint("payout.called")
    return partial(paying.take, withdrawal_id, step.tries, result)


def issue_statement(withdrawal_id: int) -> Unit:
    """Issue the settlement statement of a withdrawal that was paid, or correct it."""

    def issue() -> None:
        statements.issue(withdrawal_id)

    return issue


def _ask(provider: Provider, step: Step, withdrawal_id: int) -> Result:
    """What became of it. What never reached the channel is sent again under the same number."""
    result = provider.query(step.transfer.number)
    if result.outcome is not Outcome.NOT_FOUND or not may_send_again(step.sent_at, clock.now()):
        return result
    if not transaction(partial(paying.sending_again, withdrawal_id, step.tries)):
        return result
    crashpoint("payout.intended_again")
    return provider.submit(step.transfer)
