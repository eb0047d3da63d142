"""The payment channels as a buyer chooses among them."""

from dataclasses import dataclass

from flask_babel import gettext as _

from app.core.errors import N_, Refusal
from app.domain.catalog import preferences
from app.domain.orders.rules import BALANCE
from app.providers import payments
from app.providers.payments.interface import UnknownChannel


@dataclass(frozen=True)
class ChannelChoice:
    name: str
    label: str
    note: str
    icon: str


def title(name: str) -> str:
    """What a channel is called; one that is no longer connected keeps its plain name."""
    if name == BALANCE:
        return _("进货余额")
    try:
        return _(payments.channel(name).title)
    except UnknownChannel:
        return name


def choices(currency: str) -> list[ChannelChoice]:
    """The channels that take this currency, the preferred first."""
    offered = payments.offered(currency, has_bank_account=bool(preferences.get().bank_account))
    return [
        ChannelChoice(
            name=channel.name,
            label=_(channel.title),
            note=_("转账后由店员确认到账")
            if channel.is_confirmed_by_staff
            else _("付款后自动发货"),
            icon="landmark" if channel.is_confirmed_by_staff else "zap",
        )
        for channel in offered
    ]


def chosen(name: str, currency: str) -> str:
    """The name of a channel that is offered now; raises Refusal."""
    if name not in {choice.name for choice in choices(currency)}:
        raise Refusal(N_("请选择付款方式"), field="channel")
    return name
