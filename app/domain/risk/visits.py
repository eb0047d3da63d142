"""Where somebody acts from: what every checkpoint knows of her that the web has to tell."""

from dataclasses import dataclass, field

from app.domain.risk import events
from app.domain.risk.models import Key
from app.domain.risk.proofs import Proof


@dataclass(frozen=True)
class Visit:
    """An address (empty where there is none), the network around it, a browser's name.

    `look` is what the browser says of itself to every site, and coarse: many have the same, so it
    counts only together with the network. `proof` is the captcha that a form brought.
    """

    address: str
    network: str
    device: str
    look: str = ""
    proof: Proof | None = field(default=None, repr=False)

    def known_as(self) -> dict[Key, str]:
        """What she is known by from here; still in the open, for `events.hashed`."""
        known = events.from_address(self.address, self.network) | {Key.DEVICE: self.device}
        if self.look and Key.NETWORK in known:
            known[Key.LOOK] = f"{self.network} {self.look}"
        return known


# What is decided on when nobody is there: money that has come.
NOWHERE = Visit("", "", "")
