"""What workers do for distributors and what they earn."""

from functools import partial

from app.core.outbox import Unit
from app.domain.channels import commission, holding, tiers


def evaluate_tiers() -> Unit:
    """Look at everybody's tier, and again the next night."""
    return tiers.nightly


def end_commission_hold(commission_id: int) -> Unit:
    """Let go what risk kept back for a time."""
    return partial(holding.end_doubt, commission_id)


def settle_commission(order_id: int) -> Unit:
    """Bring an order's commissions in line with what the order is now."""
    return partial(commission.settle, order_id)
