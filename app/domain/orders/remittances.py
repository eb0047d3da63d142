"""A channel pays what it holds for us into the bank: booked once, reversed when it was a slip."""

import sqlalchemy as sa

from app.core import audit
from app.core.actors import actor
from app.core.db import session
from app.core.errors import N_, Conflict, NotFound, Refusal
from app.core.money import yuan
from app.core.states import move
from app.domain.ledger import service as ledger
from app.domain.ledger.models import LedgerAccount, LedgerBalance
from app.domain.orders.statement_models import Remittance, RemittanceState

NUMBER_LENGTH = 64


def book(channel: str, number: str, net: int, fee: int, currency: str = "CNY") -> Remittance:
    """`net` came into the bank and `fee` stayed with the channel, in minor units.

    Raises Refusal for what cannot be: no number, no money, more than the channel holds by the
    books; Conflict for a number that is booked.
    """
    number = number.strip()
    if not 4 <= len(number) <= NUMBER_LENGTH:
        raise Refusal(
            N_("请填写银行或渠道的流水号，4 到 %(most)s 位"), field="number", most=NUMBER_LENGTH
        )
    if net < 0 or fee < 0 or net + fee == 0:
        raise Refusal(N_("请填写到账金额"), field="net")
    held = held_by(channel, currency)
    if net + fee > held:
        raise Refusal(
            N_("账上这个渠道只有 %(held)s 元。请先核对金额，或先把渠道已收、账上没有的钱入账"),
            field="net",
            held=yuan(held),
        )
    if find_booked(channel, number) is not None:
        raise Conflict(N_("这个流水号已经入账"), field="number")
    remittance = Remittance(
        channel=channel,
        number=number,
        currency=currency,
        net=net,
        fee=fee,
        created_by=actor(),
    )
    session.add(remittance)
    session.flush()
    _post(remittance, "remitted", 1)
    audit.record(
        "remittance.book",
        "channel_remittances",
        remittance.id,
        channel=channel,
        number=number,
        net=net,
        fee=fee,
    )
    return remittance


def reverse(remittance_id: int, reason: str) -> None:
    """It was entered wrongly: post it back; raises Refusal, Conflict, NotFound. Audited."""
    if len(reason.strip()) < 2:
        raise Refusal(N_("请写明为什么撤销"), field="reason")
    remittance = session.get(
        Remittance, remittance_id, with_for_update=True, populate_existing=True
    )
    if remittance is None:
        raise NotFound
    if remittance.state != RemittanceState.BOOKED:
        raise Conflict(N_("这笔到账已经撤销"))
    move(remittance, RemittanceState.REVERSED, reason.strip())
    remittance.reversed_because = reason.strip()
    _post(remittance, "remittance_reversed", -1)
    audit.record("remittance.reverse", "channel_remittances", remittance.id, reason=reason.strip())


def find_booked(channel: str, number: str) -> Remittance | None:
    """The remittance of that number that stands in the books."""
    return session.scalar(
        sa.select(Remittance).where(
            Remittance.channel == channel,
            Remittance.number == number,
            Remittance.state == RemittanceState.BOOKED,
        )
    )


def held_by(channel: str, currency: str = "CNY") -> int:
    """What the books say that a channel holds for us, in minor units."""
    found = session.scalar(
        sa.select(LedgerBalance.balance)
        .join(LedgerAccount, LedgerAccount.id == LedgerBalance.account_id)
        .where(LedgerAccount.code == f"channel:{channel}", LedgerAccount.currency == currency)
    )
    return int(found or 0)


def _post(remittance: Remittance, kind: str, sign: int) -> None:
    lines = {
        "bank": sign * remittance.net,
        "channel_fee": sign * remittance.fee,
        f"channel:{remittance.channel}": -sign * remittance.gross,
    }
    ledger.post(
        f"{kind}:{remittance.id}",
        kind,
        "channel_remittances",
        remittance.id,
        {code: amount for code, amount in lines.items() if amount},
        currency=remittance.currency,
    )
