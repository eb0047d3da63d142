"""What workers do for distributors and what they earn."""

from app.core.outbox import Unit
from app.domain.channels import tiers


def evaluate_tiers() -> Unit:
    """Look at everybody's tier, and again the next night."""
    return tiers.nightly
