"""Where somebody acts from: what every checkpoint knows of her that the web has to tell."""

from dataclasses import dataclass, field

from app.domain.risk import events
from app.domain.risk.models import Key
from app.domain.risk.proofs import Proof


@dataclass(frozen=True)
class Visit:
    """An address, the network around it, a browser; `proof` is the captcha that a form brought."""

    address: str
    network: str
    device: str
    proof: Proof | None = field(default=None, repr=False)

    def known_as(self) -> dict[Key, str]:
        """What she is known by from here; still in the open, for `events.hashed`."""
        return {**events.from_address(self.address, self.network), Key.DEVICE: self.device}
