"""What must always be true of a live shop: `flask audit`, the health page, and every chaos test.

A check is one query (or a few) that finds what breaks the rule; it returns the number of breaches
and how many things it looked at. The numbers are those of `docs/architecture.md`.
"""

from collections.abc import Callable
from dataclasses import dataclass

from app.core import audit_chain
from app.core.audit_chain import Anchor, Flaw, Misfit
from app.core.db import see_one_moment, session
from app.invariants import (
    balances,
    benefits,
    books,
    channels,
    counts,
    messages,
    orders,
    papers,
    payouts,
    risk,
    trail,
)


@dataclass(frozen=True)
class Finding:
    """One invariant: how many things were looked at, how many broke it, and where in the audit log
    the first few did, which nobody would find by a count."""

    number: int
    name: str
    looked_at: int
    breaches: int
    first: tuple[Misfit, ...] = ()

    @property
    def holds(self) -> bool:
        return self.breaches == 0


@dataclass(frozen=True)
class Check:
    number: int
    name: str
    look: Callable[[bool], tuple[int, int] | tuple[int, int, tuple[Misfit, ...]]]


def run(
    *,
    full: bool = False,
    anchor: Anchor | None = None,
    begin: Callable[[str], object] = lambda _name: None,
) -> list[Finding]:
    """Every check there is, of one moment. `full` opens every code instead of a sample; `anchor` is
    a seal of the audit log that was named outside; `begin` is told the name of each check before it
    looks."""
    see_one_moment()
    found = []
    try:
        for check in CHECKS:
            begin(check.name)
            found.append(Finding(check.number, check.name, *check.look(full)))
        if anchor is not None:
            found += _anchored(anchor)
        return found
    finally:
        session.rollback()


def _anchored(anchor: Anchor) -> list[Finding]:
    """The seal that was named is still there, and everything up to it fits."""
    whole = audit_chain.verify(full=True)
    held = audit_chain.leads_through(anchor)
    name = "the audit log leads through the anchor"
    replaced = () if held else (Misfit(Flaw.REPLACED, anchor.seq, None, anchor.sealed_at),)
    first = replaced + whole.first
    return [Finding(10, name, whole.looked_at, whole.broken + (not held), first)]


CHECKS = (
    Check(1, "every ledger transaction sums to zero", books.ledger_sums_to_zero),
    Check(1, "every balance equals the sum of its entries", books.balances_equal_entries),
    Check(1, "no account passed below zero that may not", books.no_account_went_negative),
    Check(
        1,
        "each balance is what was paid in, less what was bought",
        balances.balances_are_what_was_paid_in,
    ),
    Check(1, "each closed period still has its hash", books.periods_keep_their_hash),
    Check(2, "each delivered line has exactly what it bought", orders.lines_have_what_they_bought),
    Check(
        2,
        "every held code belongs to an order that is under way",
        orders.held_codes_have_live_orders,
    ),
    Check(2, "each recharged line has one delivered recharge", benefits.recharged_lines_arrived),
    Check(2, "each code is used as often as its uses say", benefits.uses_add_up),
    Check(2, "each redemption has the recharge it asked for", benefits.redemptions_are_carried),
    Check(3, "each batch has the codes that were put into it", orders.batches_add_up),
    Check(3, "no exported code is for sale", trail.exported_codes_are_off_the_shelf),
    Check(4, "nothing delivered unpaid, no money unanswered", orders.deliveries_are_paid),
    Check(4, "each payment and refund is booked once", books.money_is_booked_once),
    Check(4, "no more refunded than was paid", books.refunds_within_payments),
    Check(5, "every open payment is watched", orders.nothing_is_forgotten),
    Check(5, "one live attempt a recharge, delivered once", benefits.attempts_are_single),
    Check(5, "every open recharge is carried on", benefits.recharges_are_carried),
    Check(5, "what failed or was refunded is paid back and gone", benefits.failures_are_paid_back),
    Check(5, "every message under way is carried on", messages.messages_are_carried),
    Check(
        6,
        "each commission is what its rule gives, less refunds",
        channels.commissions_follow_their_rules,
    ),
    Check(
        6, "payable commissions are booked as they stand", channels.payable_commissions_are_booked
    ),
    Check(
        6, "waiting commissions are booked as they stand", channels.waiting_commissions_are_booked
    ),
    Check(7, "no withdrawal is paid twice", payouts.withdrawals_are_paid_once),
    Check(7, "each withdrawal adds up", payouts.withdrawals_add_up),
    Check(7, "open withdrawals are booked as they stand", payouts.open_withdrawals_are_booked),
    Check(7, "every payout under way is carried on", payouts.payouts_are_carried),
    Check(7, "statements equal postings", papers.statements_equal_postings),
    Check(7, "each statement is as it was issued", papers.statements_are_as_issued),
    Check(7, "each paid withdrawal has its statement", papers.paid_withdrawals_have_statements),
    Check(7, "each withdrawal keeps the tax it was to", papers.tax_is_what_was_withheld),
    Check(8, "codes open under what they are bound to", orders.codes_open),
    Check(8, "shredded codes have no key any more", orders.shredded_codes_stay_shut),
    Check(9, "no work is overdue", orders.outbox_is_on_time),
    Check(10, "each export has its two people and its entry", trail.exports_are_recorded),
    Check(10, "the audit log says what was sealed", trail.chain_is_whole),
    Check(10, "every entry of the audit log is sealed in time", trail.entries_are_sealed),
    Check(10, "every held order waits for a person or a job", risk.held_orders_are_carried),
    Check(10, "every open case has an order that is held", risk.open_cases_hold_their_order),
    Check(10, "each decision could be carried out", risk.decisions_are_possible),
    Check(10, "what decisions counted is what had happened", counts.counts_are_of_events),
)
