"""Bank transfer: the buyer transfers with our number as the remark, and staff confirm what came.

It has no server, so it answers what a channel without one must: it knows of no payment, closes at
once, and a refund waits until staff say that they made it.
"""

from app.core.errors import N_
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


class Transfer:
    """Money that a person sees on a bank statement."""

    name = "transfer"
    title = N_("银行转账")
    currencies = frozenset({"CNY"})
    is_confirmed_by_staff = True

    def start(self, charge: Charge) -> Start:
        return Start("instructions", text=charge.pay_into)

    def parse_callback(self, message: Callback) -> Notice:
        """No bank calls us: whoever does is not one."""
        raise Forged

    def acknowledge(self, accepted: bool) -> Reply:
        return Reply(200 if accepted else 400, "text/plain", "")

    def query(self, number: str) -> Standing:
        return Standing(StandingState.UNKNOWN)

    def close(self, number: str) -> Closing:
        """Nothing to close: a transfer that comes all the same is late money."""
        return Closing.CLOSED

    def refund(self, order: RefundOrder) -> RefundResult:
        return RefundResult(RefundOutcome.PENDING)

    def query_refund(self, order: RefundOrder) -> RefundResult:
        return RefundResult(RefundOutcome.PENDING)
