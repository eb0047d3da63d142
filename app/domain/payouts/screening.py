"""Risk is asked before money may leave: when a distributor wants it, and when she says where to.

`withdraw` may stop a withdrawal, or let it go on with the wish that two people look at it;
`payout_account` may stop an account from being added.
"""

from dataclasses import dataclass, field
from datetime import datetime
from functools import cache

from app.core import clock
from app.core.errors import N_
from app.domain.channels import conduct
from app.domain.channels.models import Distributor
from app.domain.payouts.models import PayoutAccount
from app.domain.risk import engine, events, restrictions, stopping
from app.domain.risk.engine import Decided, Fact, Situation
from app.domain.risk.models import Action, Checkpoint, EventKind, Key
from app.domain.risk.visits import Visit

HOUR = 3600
LATER = N_("现在不能提现，请 %(minutes)s 分钟后再试。如果弄错了，请把编号 %(number)s 告诉店主")
SENTENCES = {Action.BLOCK: LATER}
NOT_AT_ALL = N_("现在不能提现。如果弄错了，请把编号 %(number)s 告诉店主")
NOT_ADDED = N_("现在不能添加收款账户。如果弄错了，请把编号 %(number)s 告诉店主")


@dataclass(frozen=True)
class Money:
    """Where money is to go: the index of the account, since when it is hers (None: it is new), and
    how much, in minor units."""

    account_index: bytes
    account_since: datetime | None = None
    amount: int = 0
    typed: str = field(default="", repr=False)


def withdraw(visit: Visit, holder: Distributor, account: PayoutAccount, amount: int) -> Decided:
    """Ask before money leaves her balance; raises Stopped. HOLD lets it go on to two people."""
    money = Money(account.account_index, account.created_at, amount)
    decided = _ask(Checkpoint.WITHDRAW, visit, holder, money)
    if not decided.lets_go:
        raise stopping.refusal(decided, SENTENCES, NOT_AT_ALL, field="amount")
    engine.keep(decided, EventKind.WITHDRAWN, amount)
    return decided


def payout_account(visit: Visit, holder: Distributor, account_index: bytes, typed: str) -> None:
    """Ask before an account is added; `typed` is its holder's name. Raises Stopped."""
    decided = _ask(Checkpoint.PAYOUT_ACCOUNT, visit, holder, Money(account_index, typed=typed))
    if not decided.lets_go:
        raise stopping.refusal(decided, {Action.BLOCK: NOT_ADDED}, NOT_ADDED, field="account")
    engine.keep(decided, EventKind.PAYOUT_ACCOUNT_ADDED)


def is_frozen(holder: Distributor) -> bool:
    """Whether no money may leave now: she, or her account, is frozen."""
    whose = events.hashed({Key.DISTRIBUTOR: holder.uid, Key.ACCOUNT: str(holder.person_id)})
    return any(restrictions.is_frozen(key, key_hash) for key, key_hash in whose.items())


def _ask(checkpoint: Checkpoint, visit: Visit, holder: Distributor, money: Money) -> Decided:
    known = visit.known_as() | {
        Key.ACCOUNT: str(holder.person_id),
        Key.DISTRIBUTOR: holder.uid,
        Key.PAYOUT_ACCOUNT: money.account_index.hex(),
    }
    sold = cache(lambda: conduct.of(holder.id, clock.now()))
    facts: dict[str, Fact] = {
        "amount": lambda: money.amount,
        "account_age": lambda: _hours_since(holder.person.created_at),
        "payout_account_age": lambda: _hours_since(money.account_since),
        "refunded_percent": lambda: getattr(sold(), "refunded", None),
        "hasty_percent": lambda: getattr(sold(), "hasty", None),
        "own_percent": lambda: getattr(sold(), "own", None),
    }
    return engine.decide(
        Situation(checkpoint, events.hashed(known), facts, visit=visit, typed=money.typed)
    )


def _hours_since(at: datetime | None) -> int:
    """Whole hours since then; of what is only now becoming hers none."""
    return int((clock.now() - at).total_seconds()) // HOUR if at else 0
