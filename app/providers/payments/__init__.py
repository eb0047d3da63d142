"""The payment channels that are configured here."""

from app.providers.payments.interface import Channel, UnknownChannel
from app.providers.payments.sandbox import Sandbox
from app.providers.payments.transfer import Transfer
from app.settings import Settings

_channels: dict[str, Channel] = {}


def connect(settings: Settings) -> None:
    """Make the channels that the settings name; called once by create_app()."""
    _channels.clear()
    if settings.sandbox_url:
        sandbox = Sandbox(settings.sandbox_url, settings.sandbox_merchant, settings.sandbox_key)
        _channels[sandbox.name] = sandbox
    _channels[Transfer.name] = Transfer()


def channel(name: str) -> Channel:
    """The channel of that name; raises UnknownChannel."""
    try:
        return _channels[name]
    except KeyError:
        raise UnknownChannel(name) from None


def offered(currency: str, *, has_bank_account: bool) -> list[Channel]:
    """The channels a buyer may choose from, the preferred first.

    A transfer is offered only when there is an account to transfer to.
    """
    return [
        found
        for found in _channels.values()
        if currency in found.currencies and (has_bank_account or not found.is_confirmed_by_staff)
    ]
