"""By hand: staff pay in whatever way they like, and enter the reference."""

from app.core.errors import N_
from app.providers.callbacks import Callback, Forged, Reply
from app.providers.payouts.interface import (
    ALIPAY_ACCOUNT,
    BANK_CARD,
    COMPANY,
    Notice,
    Outcome,
    Result,
    Transfer,
)


class Manual:
    """A person with an online bank."""

    name = "manual"
    title = N_("人工转账")
    kinds = frozenset({BANK_CARD, ALIPAY_ACCOUNT, COMPANY})
    pays_by_itself = False
    has_file = False
    ledger_account = "bank"

    def submit(self, transfer: Transfer) -> Result:
        """Nothing is called: it is pending until staff say what they did."""
        return Result(Outcome.PENDING)

    def query(self, number: str) -> Result:
        return Result(Outcome.PENDING)

    def parse_callback(self, message: Callback) -> Notice:
        """No bank calls us: whoever does is not one."""
        raise Forged

    def acknowledge(self, accepted: bool) -> Reply:
        return Reply(200 if accepted else 400, "text/plain", "")
