"""The chart of accounts and the arithmetic of a posting."""

from collections.abc import Mapping

from app.domain.ledger.models import AccountKind

# prefix → kind, may its balance pass below zero on its normal side?
# A channel's clearing account may: a refund can leave before the day's settlement arrives.
CHART: dict[str, tuple[AccountKind, bool]] = {
    "channel": (AccountKind.ASSET, True),  # money a payment channel holds for us
    "deferred": (AccountKind.LIABILITY, False),  # paid for and not yet delivered
    "suspense": (AccountKind.LIABILITY, False),  # money that came with no order to take it
    "refund_payable": (AccountKind.LIABILITY, False),  # owed back to a buyer, not yet sent
    "sales": (AccountKind.INCOME, True),  # delivered; refunds of delivered goods take from it
    "commission": (AccountKind.EXPENSE, True),  # what distributors earn; claw-backs give it back
    "commission_pending": (AccountKind.LIABILITY, False),  # earned, and still within its holding
    # Below zero when what was paid out is clawed back: the next earnings make up for it.
    "commission_payable": (AccountKind.LIABILITY, True),
    "payout_pending": (AccountKind.LIABILITY, False),  # asked for by a withdrawal, not yet paid
    "tax_withheld": (AccountKind.LIABILITY, False),  # kept from payouts, owed to the tax office
    "payout_fee": (AccountKind.INCOME, True),  # what a withdrawal costs its distributor
    "bank": (AccountKind.ASSET, True),  # the shop's own bank account
    "balance": (AccountKind.LIABILITY, False),  # what a distributor paid in to buy from
    "channel_fee": (AccountKind.EXPENSE, True),  # what channels keep of what they remit
    "writeoff": (AccountKind.EXPENSE, True),  # what is not to be had back, each with its reason
}


def kind_of(code: str) -> tuple[AccountKind, bool]:
    """What `channel:sandbox` is; raises KeyError for an account that the chart does not know."""
    return CHART[prefix_of(code)]


def prefix_of(code: str) -> str:
    """`channel:sandbox` → `channel`: an account's place in the chart."""
    return code.partition(":")[0]


def natural(kind: AccountKind, amount: int) -> int:
    """A signed amount (debit positive) as it grows on the account's normal side."""
    return amount if kind in (AccountKind.ASSET, AccountKind.EXPENSE) else -amount


def check_lines(lines: Mapping[str, int]) -> None:
    """Raise ValueError unless there are two lines or more, none zero, that sum to zero."""
    if len(lines) < 2 or sum(lines.values()) != 0 or 0 in lines.values():
        raise ValueError(f"not a balanced posting: {dict(lines)}")


def would_go_negative(kind: AccountKind, amount: int) -> bool:
    """Whether an entry takes from the account's normal side at all."""
    if kind in (AccountKind.ASSET, AccountKind.EXPENSE):
        return amount < 0
    return amount > 0
