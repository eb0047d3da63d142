"""What the shop withholds from a withdrawal when it is submitted for payment."""

from dataclasses import dataclass, field

from app.domain.payouts.models import Withdrawal


@dataclass(frozen=True)
class Withholding:
    """The income it counts as and the tax on it, in minor units; the method, and each step."""

    income: int
    tax: int
    method: str
    trace: list[object] = field(default_factory=list)


def withhold(withdrawal: Withdrawal) -> Withholding:
    """Nothing is withheld: the payee declares her income herself."""
    return Withholding(withdrawal.gross, 0, "none")
