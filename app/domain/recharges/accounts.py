"""The account that a recharge goes to: sealed to its recharge, opened only to be sent."""

from app.core import keys
from app.core.crypto import Secret
from app.domain.recharges.models import Recharge


def seal_account(uid: str, account: Secret) -> bytes:
    """Sealed so that it opens for this recharge alone."""
    return keys.seal_personal(account.reveal(), "recharges", "account", uid)


def open_account(recharge: Recharge) -> Secret:
    """The inverse; raises Tampered."""
    return keys.open_personal(recharge.account_sealed, "recharges", "account", recharge.uid)
