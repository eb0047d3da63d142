"""What workers do for risk."""

from app.core.outbox import Unit
from app.domain.risk import pruning


def prune() -> Unit:
    """Remove what is no longer wanted, and again the next night."""
    again_at = pruning.prune()
    return lambda: again_at
