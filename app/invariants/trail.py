"""The audit log: nobody has changed it, and it is being sealed."""

from app.core import audit_chain


def chain_is_whole(full: bool) -> tuple[int, int]:
    """The seals are contiguous, each fits to the one before and to what its entry says now."""
    verdict = audit_chain.verify(full=full)
    return verdict.looked_at, verdict.broken


def entries_are_sealed(_full: bool) -> tuple[int, int]:
    """No entry waits for its seal for long, as one does that was put in later; while nothing
    seals, all do."""
    return audit_chain.count_overdue()
