"""What can go wrong at a payment channel, wanted for one trade or, under the number `*`, for all.

The buyer chooses on the pay page, a test through `/control/faults`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from app.outside import faults


@dataclass(frozen=True)
class Faults(faults.Faults):
    """All zero: nothing goes wrong. Switches are 1; `…_fails` and `not_found` are so many times,
    each of which uses one up; `…_fails_after` fails although it took effect."""

    LIMITS: ClassVar[Mapping[str, int]] = {
        "delay": 24 * 3600,
        "hang": 60,
        "wrong_amount": 10**9,
    }
    SIGNED: ClassVar[frozenset[str]] = frozenset({"wrong_amount"})

    # The callback: so many more of the same, so many seconds late, none, signed with a wrong key,
    # followed by an older message that says "unpaid".
    duplicates: int = 0
    delay: int = 0
    no_callback: int = 0
    forged: int = 0
    out_of_order: int = 0
    # Nobody pays, and a callback with a wrong signature says that somebody did.
    forgery: int = 0
    # The buyer pays so many minor units more, or less; or after the deadline or the closing.
    wrong_amount: int = 0
    late: int = 0
    # The API. A call that fails is silent for `hang` seconds before it answers 500.
    not_found: int = 0
    query_fails: int = 0
    close_fails: int = 0
    close_fails_after: int = 0
    refund_fails: int = 0
    refund_fails_after: int = 0
    refund_query_fails: int = 0
    hang: int = 0
    # The refund is pending until it was asked about so often; the bank says no in the end.
    refund_pending: int = 0
    refund_refused: int = 0
