"""The ways of paying distributors that are configured here."""

from app.providers.payouts.alipay import Alipay
from app.providers.payouts.bank_file import BankFile
from app.providers.payouts.interface import Provider, UnknownProvider
from app.providers.payouts.manual import Manual
from app.settings import Settings

_providers: dict[str, Provider] = {}


def connect(settings: Settings) -> None:
    """Make the providers that the settings name; called once by create_app()."""
    _providers.clear()
    if settings.alipay_url:
        alipay = Alipay.of(settings)
        _providers[alipay.name] = alipay
    for one in (BankFile(), Manual()):
        _providers[one.name] = one


def provider(name: str) -> Provider:
    """The provider of that name; raises UnknownProvider."""
    try:
        return _providers[name]
    except KeyError:
        raise UnknownProvider(name) from None


def offered() -> list[Provider]:
    """All of them, the one with the least work for staff first."""
    return list(_providers.values())
