"""What workers do for risk."""

from functools import partial

from app.core.outbox import Unit
from app.domain.risk import cases, pruning


def prune() -> Unit:
    """Remove what is no longer wanted, and again the next night."""
    again_at = pruning.prune()
    return lambda: again_at


def release(case_id: int) -> Unit:
    """Let an order go on that was only delayed."""
    return partial(cases.release, case_id)
