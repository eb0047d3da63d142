"""What waits for a person: a paid order that is held until somebody lets it go or sends it back."""

from datetime import timedelta

import sqlalchemy as sa

from app.core import audit, clock, ids
from app.core.actors import actor
from app.core.db import require_transaction, session
from app.core.errors import N_, Conflict, NotFound, Refusal
from app.core.outbox import call_off, later
from app.core.states import move
from app.domain.accounts import queries as people
from app.domain.accounts.rules import may
from app.domain.risk import lists
from app.domain.risk.engine import Decided
from app.domain.risk.models import Action, Case, CaseState, Decision, Key, Label, ListKind

# Within this somebody has looked: a buyer who has paid waits for it (field-notes §4).
LOOKED_AT_WITHIN = timedelta(minutes=30)
NOTE_LENGTH = 500
TRUST_DAYS = 30
BLOCK_DAYS = 90
OPEN = (CaseState.OPEN, CaseState.IN_REVIEW)
# What is worth knowing somebody again by. An address is shared by many, so it is not listed along.
LISTED_WITH_A_CASE = (Key.CONTACT, Key.DEVICE, Key.ACCOUNT, Key.PAYER)


class InOtherHands(Conflict):
    """Somebody else is looking at it."""

    def __init__(self, who: str) -> None:
        super().__init__(N_("%(who)s 正在审核这个订单"), who=who)


def open_case(order_id: int, decided: Decided) -> Case:
    """Ask for a person; one that is only delayed goes on by itself when nobody has looked by then.
    Within the unit that holds the order."""
    require_transaction()
    now = clock.now()
    release_at = decided.until if decided.action == Action.DELAY else None
    case = Case(
        uid=ids.number(now, 7),
        order_id=order_id,
        decision_id=decided.row.id,
        opened_at=now,
        due_at=release_at or now + LOOKED_AT_WITHIN,
        release_at=release_at,
    )
    session.add(case)
    session.flush()
    if release_at is not None:
        later("app.domain.risk.jobs.release", case.id, key=_release_key(case), at=release_at)
    else:
        later("app.domain.messages.jobs.overdue_case", case.id, key=_due_key(case), at=case.due_at)
    return case


def release(case_id: int) -> None:
    """Its time is over: let its order go, unless somebody has closed it, or is looking at it: then
    it must not be forgotten in her hands."""
    case = session.get_one(Case, case_id, with_for_update=True, populate_existing=True)
    if case.state == CaseState.IN_REVIEW:
        at = clock.now() + LOOKED_AT_WITHIN
        later("app.domain.messages.jobs.overdue_case", case.id, key=_due_key(case), at=at)
    if case.state != CaseState.OPEN:
        return
    case.closed_at = clock.now()
    case.closed_by = actor()
    move(case, CaseState.RELEASED)
    later("app.domain.orders.jobs.release", case.order_id, key=f"release:{case.order_id}")


def take(uid: str) -> None:
    """Whoever acts is looking at it; raises Conflict when it is closed, InOtherHands."""
    case = _lock_open(uid)
    if case.assignee not in ("", actor()):
        raise _in_other_hands(case)
    if case.state == CaseState.OPEN:
        case.assignee = actor()
        move(case, CaseState.IN_REVIEW)


def put_back(uid: str) -> None:
    """Nobody is looking at it any more; one whose time is over meanwhile goes on. Raises Conflict
    when it is closed, InOtherHands."""
    case, now = _lock_mine(uid), clock.now()
    if case.state != CaseState.IN_REVIEW:
        return
    case.assignee = ""
    move(case, CaseState.OPEN)
    if case.release_at is not None and case.release_at <= now:
        later(
            "app.domain.risk.jobs.release", case.id, key=f"{_release_key(case)}:{now:%Y%m%d%H%M%S}"
        )


def approve(uid: str, label: Label, note: str, *, trust: bool) -> None:
    """Let the order go; with `trust` its buyer is trusted for a while.

    Raises Refusal, Conflict when it is closed, InOtherHands.
    """
    case = _close(uid, CaseState.APPROVED, label, note)
    if trust:
        _list(case, ListKind.TRUST, TRUST_DAYS)
    later("app.domain.orders.jobs.release", case.order_id, key=f"release:{case.order_id}")


def reject(uid: str, label: Label, note: str, *, block: bool) -> None:
    """Send the money back; with `block` its buyer is blocked. Raises as `approve` does."""
    case = _close(uid, CaseState.REJECTED, label, note)
    if block:
        _list(case, ListKind.BLOCK, BLOCK_DAYS)
    later("app.domain.orders.jobs.send_back", case.order_id, key=f"send-back:{case.order_id}")


def may_close(case: Case) -> bool:
    """Whether whoever acts may close it or put it back: it is in no other hands, or she oversees
    those who look."""
    if case.assignee in ("", actor()):
        return True
    person = people.of_actor(actor())
    return person is not None and may(person.role, "risk.oversee")


def find(uid: str) -> Case:
    """A case by its number; raises NotFound."""
    case = session.scalar(sa.select(Case).where(Case.uid == uid))
    if case is None:
        raise NotFound
    return case


def of_order(order_id: int) -> Case | None:
    return session.scalar(sa.select(Case).where(Case.order_id == order_id))


def queue(*, closed: bool = False, most: int = 200) -> list[Case]:
    """The open cases, the most urgent first; or those that were closed, the latest first."""
    wanted = sa.select(Case).limit(most)
    if closed:
        wanted = wanted.where(Case.state.not_in(OPEN)).order_by(Case.closed_at.desc())
    else:
        wanted = wanted.where(Case.state.in_(OPEN)).order_by(Case.due_at, Case.id)
    return list(session.scalars(wanted))


def count_open() -> int:
    """How many wait for somebody."""
    return (
        session.scalar(sa.select(sa.func.count()).select_from(Case).where(Case.state.in_(OPEN)))
        or 0
    )


def take_untold(case_id: int) -> list[Case]:
    """The cases that are overdue and that nobody was told of yet, if this one is: now they are."""
    require_transaction()
    now = clock.now()
    found = list(
        session.scalars(
            sa.select(Case)
            .where(Case.state.in_(OPEN), Case.due_at <= now, Case.told_at.is_(None))
            .order_by(Case.id)
            .with_for_update()
            .execution_options(populate_existing=True)
        )
    )
    if case_id not in {case.id for case in found}:
        return []
    for case in found:
        case.told_at = now
    return found


def _due_key(case: Case) -> str:
    return f"case-due:{case.id}"


def _release_key(case: Case) -> str:
    return f"case-release:{case.id}"


def _lock_open(uid: str) -> Case:
    require_transaction()
    case = session.scalar(
        sa.select(Case)
        .where(Case.uid == uid)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if case is None:
        raise NotFound
    if case.state not in OPEN:
        raise Conflict(N_("这个审核单刚刚已经处理过了"))
    return case


def _lock_mine(uid: str) -> Case:
    case = _lock_open(uid)
    if not may_close(case):
        raise _in_other_hands(case)
    return case


def _in_other_hands(case: Case) -> InOtherHands:
    person = people.of_actor(case.assignee)
    return InOtherHands(person.name or person.contact_masked if person else case.assignee)


def _close(uid: str, to: CaseState, label: Label, note: str) -> Case:
    case = _lock_mine(uid)
    if len(note) > NOTE_LENGTH:
        raise Refusal(N_("备注最多 %(most)s 个字"), field="note", most=NOTE_LENGTH)
    case.label = label
    case.note = note.strip()
    case.closed_at = clock.now()
    case.closed_by = actor()
    move(case, to)
    call_off(_due_key(case))
    call_off(_release_key(case))
    audit.record(f"risk.{to.value}", "orders", case.order_id, reason=case.note, label=label.value)
    return case


def _list(case: Case, kind: ListKind, days: int) -> None:
    """Put what its buyer is known by on a list; what stands there already stays as it is."""
    decision = session.get_one(Decision, case.decision_id)
    for key in LISTED_WITH_A_CASE:
        known = decision.keys.get(key.value)
        if not known:
            continue
        value = lists.known_as(key, bytes.fromhex(known), case.uid)
        if not lists.is_listed(kind, value):
            lists.add(kind, value, case.uid, days, source="case")
