"""The heart of a recharge: intent, call, outcome; doubt is asked about; a refusal goes on.

`next_step` decides under the recharge's lock what is to be done and writes the intent; a job does
it with no transaction open; `take` writes what came of it. A callback comes through `take` as well.
So whoever dies in between leaves an intent, and an intent without an outcome is doubt.
"""

from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum, auto

from app.core import audit, clock, ids
from app.core.crypto import Secret
from app.core.db import session
from app.core.outbox import call_off, hasten
from app.core.states import move
from app.domain.catalog.models import Offer
from app.domain.orders import refunding, settling
from app.domain.recharges import queries
from app.domain.recharges.accounts import open_account
from app.domain.recharges.models import (
    Attempt,
    AttemptState,
    Call,
    Recharge,
    RechargeState,
)
from app.domain.recharges.rules import (
    REVIEW_AFTER,
    WAIT_FOR_PROVIDER,
    Candidate,
    choose,
    look_again,
    next_query,
)
from app.domain.redemptions import service as redemptions
from app.providers.recharges.interface import Exchange, Outcome, Result

FINAL = (RechargeState.DELIVERED, RechargeState.FAILED)
SETTLED = (AttemptState.DELIVERED, AttemptState.REFUSED)


class Deed(Enum):
    SEND = auto()
    ASK = auto()
    WAIT = auto()


@dataclass(frozen=True)
class Step:
    """What a job is to do next: send or ask about an attempt, or wait until `at`."""

    deed: Deed
    at: datetime
    attempt_id: int = 0
    provider_id: int = 0
    number: str = ""
    sku: str = ""
    quantity: int = 0
    cost_limit: int = 0
    account: Secret = field(default_factory=lambda: Secret(""))


def next_step(recharge_id: int) -> Step | None:
    """What is to be done now, its intent written; None when nothing is left to do.

    The caller commits before it calls anybody.
    """
    recharge = queries.lock(recharge_id)
    if recharge.state in FINAL:
        return None
    attempt = queries.live_attempt(recharge.id)
    if attempt is not None:
        if attempt.state == AttemptState.SENDING:
            # Whoever sent it is gone: only one job at a time holds a recharge.
            move(attempt, AttemptState.UNKNOWN, "interrupted")
        return _step(Deed.ASK, recharge, attempt)
    return _start(recharge) if recharge.state == RechargeState.QUEUED else None


def _start(recharge: Recharge) -> Step | None:
    """Choose whom to ask and write that we do."""
    now = clock.now()
    offers = queries.offers_left(recharge)
    # In the order of ids: two recharges that look at the same providers must lock them alike.
    for provider_id in sorted({offer.provider_id for offer in offers}):
        queries.lock_provider(provider_id)
    candidates = [_candidate(offer, now) for offer in offers]
    chosen = choose(candidates, now)
    if chosen is not None:
        return _intend(recharge, session.get_one(Offer, chosen.offer_id), now)
    if not offers or now - queries.queued_since(recharge) > WAIT_FOR_PROVIDER:
        fail(recharge, "no provider could deliver it")
        return None
    return Step(Deed.WAIT, look_again(candidates, now))


def _candidate(offer: Offer, now: datetime) -> Candidate:
    provider = offer.provider
    return Candidate(
        offer_id=offer.id,
        priority=offer.priority,
        cost=offer.cost,
        concurrency=provider.concurrency,
        per_minute=provider.per_minute,
        health=queries.health_of(provider.id),
        load=queries.load_of(provider.id, now),
    )


def _intend(recharge: Recharge, offer: Offer, now: datetime) -> Step:
    attempt = Attempt(
        number=ids.number(now, 13),
        recharge_id=recharge.id,
        offer_id=offer.id,
        provider_id=offer.provider_id,
        state=AttemptState.SENDING,
        sku=offer.sku,
        expected_cost=offer.cost * recharge.quantity,
        created_at=now,
        sent_at=now,
    )
    session.add(attempt)
    move(recharge, RechargeState.RUNNING)
    session.flush()
    return _step(Deed.SEND, recharge, attempt)


def _step(deed: Deed, recharge: Recharge, attempt: Attempt) -> Step:
    return Step(
        deed=deed,
        at=attempt.sent_at,
        attempt_id=attempt.id,
        provider_id=attempt.provider_id,
        number=attempt.number,
        sku=attempt.sku,
        quantity=recharge.quantity,
        cost_limit=attempt.expected_cost,
        account=open_account(recharge),
    )


def sending_again(attempt_id: int) -> bool:
    """The provider does not know our number and takes each once: note that it is sent once more.

    False for any but a doubt: what the provider has acknowledged is with it, and what a person has
    taken in hand is hers to end.
    """
    attempt = _lock_attempt(attempt_id)
    if attempt.state != AttemptState.UNKNOWN:
        return False
    move(attempt, AttemptState.SENDING, "sent again")
    attempt.sent_at = clock.now()
    return True


def take(attempt_id: int, result: Result, *, not_found_is_final: bool = False) -> datetime | None:
    """Write what a provider said about an attempt; when to go on, or None when all is settled.

    What contradicts a settled attempt changes nothing and is put before a person.
    """
    attempt = _lock_attempt(attempt_id)
    recharge = attempt.recharge
    log(attempt.provider_id, result.exchange, result.outcome.name.lower(), attempt.id)
    if attempt.state in SETTLED:
        _note_contradiction(recharge, attempt, result)
    else:
        _learn(attempt, result)
        _apply(recharge, attempt, result, not_found_is_final=not_found_is_final)
    session.flush()
    return _when_next(recharge, attempt)


def _learn(attempt: Attempt, result: Result) -> None:
    attempt.reference = result.reference or attempt.reference
    attempt.serial = result.serial or attempt.serial
    attempt.reason = result.reason or attempt.reason
    if result.cost is not None:
        attempt.cost = result.cost
        # Their four decimals may round up by a fen a piece; more than that was not agreed.
        agreed = attempt.expected_cost + attempt.recharge.quantity
        if result.cost > agreed and not attempt.contradiction:
            attempt.contradiction = f"cost {result.cost} above {attempt.expected_cost}"


def _apply(
    recharge: Recharge, attempt: Attempt, result: Result, *, not_found_is_final: bool
) -> None:
    if result.outcome is Outcome.DELIVERED:
        settle(attempt, AttemptState.DELIVERED)
        arrive(recharge)
    elif result.outcome is Outcome.REFUSED:
        settle(attempt, AttemptState.REFUSED)
        move(recharge, RechargeState.QUEUED, result.reason)
    elif result.outcome is Outcome.PENDING:
        if attempt.state in (AttemptState.SENDING, AttemptState.UNKNOWN):
            move(attempt, AttemptState.PENDING)
        _review_what_lasts(recharge, attempt)
    else:
        if attempt.state == AttemptState.SENDING:
            move(attempt, AttemptState.UNKNOWN, result.reason)
        if result.outcome is Outcome.NOT_FOUND and not_found_is_final:
            review(recharge, attempt, "the provider does not know our number")
        _review_what_lasts(recharge, attempt)


def _when_next(recharge: Recharge, attempt: Attempt) -> datetime | None:
    if recharge.state in FINAL:
        return None
    if recharge.state == RechargeState.QUEUED:
        return clock.now()
    pause = next_query(attempt.queries)
    attempt.queries += 1
    return clock.now() + pause


def arrive(recharge: Recharge) -> None:
    """The benefit is in the account: the line is delivered, or the redemption succeeded."""
    move(recharge, RechargeState.DELIVERED)
    recharge.settled_at = clock.now()
    session.flush()
    if recharge.order_line_id is not None:
        settling.line_arrived(recharge.order_line_id)
    else:
        assert recharge.redemption_id is not None
        redemptions.succeeded(recharge.redemption_id)


def fail(recharge: Recharge, reason: str) -> None:
    """Nobody delivered it and nobody still might: the money goes back, or the use does."""
    move(recharge, RechargeState.FAILED, reason)
    recharge.settled_at = clock.now()
    session.flush()
    if recharge.order_line_id is not None:
        refunding.refund_undeliverable(recharge.order_line_id, reason)
    else:
        assert recharge.redemption_id is not None
        redemptions.failed(recharge.redemption_id, reason)


def settle(attempt: Attempt, state: AttemptState, note: str = "") -> None:
    """An attempt has ended, one way or the other."""
    move(attempt, state, note or attempt.reason)
    attempt.settled_at = clock.now()


def review(recharge: Recharge, attempt: Attempt, why: str) -> None:
    """Only a person can end this doubt."""
    if attempt.state == AttemptState.REVIEW:
        return
    move(attempt, AttemptState.REVIEW, why)
    move(recharge, RechargeState.REVIEW, why)
    audit.record("recharge.review", "recharges", recharge.id, reason=why, number=attempt.number)


def _review_what_lasts(recharge: Recharge, attempt: Attempt) -> None:
    if clock.now() - attempt.created_at > REVIEW_AFTER:
        review(recharge, attempt, "still open after two hours")


def _note_contradiction(recharge: Recharge, attempt: Attempt, result: Result) -> None:
    """A provider that says both has either kept our money or delivered for nothing.

    Delivered after all, while nobody else was asked yet: nobody is, until a person has looked.
    """
    said = {Outcome.DELIVERED: AttemptState.DELIVERED, Outcome.REFUSED: AttemptState.REFUSED}
    now_says = said.get(result.outcome)
    if now_says is None or now_says == attempt.state or attempt.contradiction:
        return
    attempt.contradiction = f"{now_says} after {attempt.state}"
    audit.record(
        "recharge.contradiction", "recharges", attempt.recharge_id, reason=attempt.contradiction
    )
    if now_says == AttemptState.DELIVERED and recharge.state == RechargeState.QUEUED:
        attempt.settled_at = None
        review(recharge, attempt, attempt.contradiction)


def take_notice(provider_id: int, number: str, result: Result) -> bool:
    """A genuine callback: settle what it speaks of; False when it is about nothing of ours."""
    attempt = queries.find_attempt(number)
    if attempt is None or attempt.provider_id != provider_id:
        log(provider_id, result.exchange, "not_ours", None)
        return False
    take(attempt.id, result)
    key = job_key(attempt.recharge)
    if attempt.recharge.state in FINAL:
        call_off(key)
    else:
        hasten(key)
    return True


def job_key(recharge: Recharge) -> str:
    """The outbox key of the one job that carries a recharge."""
    if recharge.order_line_id is not None:
        return settling.recharge_key(recharge.order_line_id)
    assert recharge.redemption_id is not None
    return redemptions.recharge_key(recharge.redemption_id)


def log(provider_id: int, exchange: Exchange | None, outcome: str, attempt_id: int | None) -> None:
    """Keep a call, masked as the adapter made it."""
    if exchange is None:
        return
    session.add(
        Call(
            provider_id=provider_id,
            attempt_id=attempt_id,
            what=exchange.what,
            outcome=outcome,
            request=exchange.request,
            response=exchange.response,
            status=exchange.status,
            milliseconds=exchange.milliseconds,
            at=clock.now(),
        )
    )


def _lock_attempt(attempt_id: int) -> Attempt:
    """An attempt after its recharge, both locked and read afresh."""
    queries.lock(session.get_one(Attempt, attempt_id).recharge_id)
    return session.get_one(Attempt, attempt_id, with_for_update=True, populate_existing=True)
