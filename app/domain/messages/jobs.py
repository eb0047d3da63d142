"""What workers do for messages. One job tells one buyer of one thing, at most once."""

from collections.abc import Callable
from functools import partial

from app.core import audit_chain, clock
from app.core.crashpoints import crashpoint
from app.core.db import session, transaction
from app.core.outbox import Unit
from app.domain.messages import alerts, anchoring, queries, service
from app.domain.messages.alerts import Event, Letters
from app.domain.messages.models import Kind
from app.domain.orders.models import OrderLine


def paid(order_id: int) -> Unit | None:
    """The money has come, and what it bought has not yet."""
    return _tell(Kind.PAID, order_id)


def arrived(order_id: int) -> Unit | None:
    """Everything is there; from now on its end is watched."""
    transaction(partial(service.watch_ends, order_id))
    return _tell(Kind.ARRIVED, order_id)


def failed(order_id: int) -> Unit | None:
    """What was bought cannot be had, and the money goes back."""
    return _tell(Kind.FAILED, order_id)


def refunded(refund_id: int) -> Unit | None:
    """Money was sent back."""
    return _tell(Kind.REFUNDED, refund_id)


def given_back(redemption_id: int) -> Unit | None:
    """A redemption came to nothing, and the code can be used again."""
    return _tell(Kind.GIVEN_BACK, redemption_id)


def low_balance(order_id: int) -> Unit | None:
    """A distributor's purchase left her balance lower than she wants to be told of."""
    return _tell(Kind.LOW_BALANCE, order_id)


def replaced(replacement_id: int) -> Unit | None:
    """Codes that may have leaked were exchanged for others."""
    return _tell(Kind.REPLACED, replacement_id)


def expiring(order_line_id: int) -> Unit | None:
    """What was bought is over soon: wait until it is time to say so, then say it."""
    end = queries.next_end(session.get_one(OrderLine, order_line_id, populate_existing=True))
    session.rollback()
    if end is None:
        return None
    _, at = end
    return _tell(Kind.EXPIRING, order_line_id) if at <= clock.now() else lambda: at


def alarm(alarm_id: int) -> None:
    """Tell the owners of an alarm. Whom a crash keeps it from sees it in the console."""
    _tell_staff(partial(alerts.begin, alarm_id))


def overdue_case(case_id: int) -> None:
    """Tell the owners that a buyer who has paid waits for longer than she was promised."""
    _tell_staff(partial(alerts.begin_overdue, case_id))


def risk_rule(decision_id: int) -> None:
    """Tell the owners that a rule was true which only wants them to know."""
    _tell_staff(partial(alerts.begin_rule, decision_id))


def export_requested(export_id: int) -> None:
    """Tell whoever may approve it."""
    _tell_staff(partial(alerts.begin_export, Event.EXPORT_REQUESTED, export_id))


def export_approved(export_id: int) -> None:
    """Tell its maker, whose half an hour runs."""
    _tell_staff(partial(alerts.begin_export, Event.EXPORT_APPROVED, export_id))


def export_refused(export_id: int) -> None:
    """Tell its maker."""
    _tell_staff(partial(alerts.begin_export, Event.EXPORT_REFUSED, export_id))


def export_downloaded(export_id: int) -> None:
    """Tell the owners, its maker and its checker: codes have left the shop."""
    _tell_staff(partial(alerts.begin_export, Event.EXPORT_DOWNLOADED, export_id))


def anchor() -> Unit:
    """Send the audit log's anchor out, if it is to be, and look again the next morning."""
    audit_chain.seal_all()
    _tell_staff(anchoring.begin)
    again_at = anchoring.next_morning(clock.now())
    return lambda: again_at


def _tell_staff(begin: Callable[[], Letters]) -> None:
    letters = transaction(begin)
    crashpoint("staff.intended")
    session.rollback()
    for sender, message in letters:
        alerts.send(sender, message)
    crashpoint("staff.called")


def _tell(kind: Kind, subject_id: int) -> Unit | None:
    draft = transaction(partial(service.begin, kind, subject_id))
    if draft is None:
        return None
    crashpoint("message.intended")
    # Whoever is called may take a while: nothing is held open meanwhile.
    session.rollback()
    result = draft.sender.send(draft.message)
    crashpoint("message.called")
    return partial(service.take, draft.message_id, result)
