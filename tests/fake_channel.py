"""A channel that does what a test tells it to, behind the real interface.

The real protocol is tested against the real sandbox process; here it is about what the shop makes
of each answer, which must not depend on timing.
"""

from dataclasses import dataclass, field

from app.providers.callbacks import Callback, Forged, Reply
from app.providers.payments.interface import (
    Charge,
    Closing,
    Notice,
    RefundOrder,
    RefundOutcome,
    RefundResult,
    Standing,
    StandingState,
    Start,
)


@dataclass
class ObedientChannel:
    name: str = "sandbox"
    title: str = "sandbox"
    currencies: frozenset[str] = frozenset({"CNY"})
    is_confirmed_by_staff: bool = False
    standing: Standing = field(default_factory=lambda: Standing(StandingState.UNPAID))
    closing: Closing = Closing.CLOSED
    refunds: list[RefundOutcome] = field(default_factory=list)
    refund_queries: list[RefundOutcome] = field(default_factory=list)
    # What the shop asked of it, in order.
    calls: list[str] = field(default_factory=list)

    def start(self, charge: Charge) -> Start:
        return Start("redirect", f"https://pay.example/{charge.number}")

    def parse_callback(self, message: Callback) -> Notice:
        raise Forged

    def acknowledge(self, accepted: bool) -> Reply:
        return Reply(200, "text/plain", "success")

    def query(self, number: str) -> Standing:
        self.calls.append("query")
        return self.standing

    def close(self, number: str) -> Closing:
        self.calls.append("close")
        return self.closing

    def refund(self, order: RefundOrder) -> RefundResult:
        self.calls.append(f"refund {order.number}")
        outcome = self.refunds.pop(0) if self.refunds else RefundOutcome.SUCCEEDED
        return RefundResult(outcome, "no" if outcome is RefundOutcome.REFUSED else "")

    def query_refund(self, order: RefundOrder) -> RefundResult:
        self.calls.append(f"query_refund {order.number}")
        outcome = self.refund_queries.pop(0) if self.refund_queries else RefundOutcome.NOT_FOUND
        return RefundResult(outcome)
