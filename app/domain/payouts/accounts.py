"""The verbs of payout accounts: added, made the default, retired. None is ever changed."""

import secrets

import sqlalchemy as sa

from app.core import audit, clock, keys
from app.core.crypto import Secret
from app.core.db import session
from app.core.errors import N_, Conflict, Refusal
from app.core.states import move
from app.domain.payouts import queries, screening
from app.domain.payouts.models import AccountState, PayoutAccount
from app.domain.payouts.rules import COOLING, AccountFields, mask_account, mask_holder, read
from app.domain.risk.visits import Visit

# Enough for everybody; a longer list would be somebody's tries.
MOST_ACTIVE = 5


def add(distributor_id: int, typed: AccountFields, visit: Visit | None = None) -> PayoutAccount:
    """A new account, usable after the cooling time; raises Refusal. Her first is the default.

    The caller has made sure who she is. Risk is asked about whoever comes by a page.
    """
    fields = read(typed)
    holder = queries.lock_distributor(distributor_id)
    active = queries.active_accounts(distributor_id)
    index = keys.index("payout_account", f"{fields.kind}:{fields.account}")
    if any(one.account_index == index for one in active):
        raise Refusal(N_("这个账户已经在列表里了"), field="account")
    if len(active) >= MOST_ACTIVE:
        raise Refusal(
            N_("最多保留 %(most)s 个收款账户，请先停用一个"), field="account", most=MOST_ACTIVE
        )
    if visit is not None:
        screening.payout_account(visit, holder, index, fields.holder)
    now, uid = clock.now(), secrets.token_hex(8)
    account = PayoutAccount(
        uid=uid,
        distributor_id=distributor_id,
        kind=fields.kind,
        is_default=not active,
        holder_sealed=_seal(fields.holder, "holder", uid),
        holder_masked=mask_holder(fields.holder),
        account_sealed=_seal(fields.account, "account", uid),
        account_masked=mask_account(fields.kind, fields.account),
        account_index=index,
        bank=fields.bank,
        branch=fields.branch,
        created_at=now,
        usable_at=now + COOLING,
    )
    session.add(account)
    session.flush()
    audit.record("payout_account.add", "payout_accounts", account.id, kind=str(account.kind))
    return account


def make_default(distributor_id: int, uid: str) -> None:
    """The account that is filled in when she withdraws; raises Conflict for a retired one."""
    queries.lock_distributor(distributor_id)
    account = queries.find_account(distributor_id, uid)
    if account.state != AccountState.ACTIVE:
        raise Conflict(N_("这个账户已停用，请重新添加"))
    _only_default(distributor_id, account)
    audit.record("payout_account.default", "payout_accounts", account.id)


def retire(distributor_id: int, uid: str) -> None:
    """Nothing is paid to it any more, not even what was asked for and has not been submitted."""
    queries.lock_distributor(distributor_id)
    account = queries.find_account(distributor_id, uid)
    if account.state != AccountState.ACTIVE:
        raise Conflict(N_("这个账户已停用"))
    was_default = account.is_default
    account.is_default = False
    account.retired_at = clock.now()
    move(account, AccountState.RETIRED)
    session.flush()
    rest = queries.active_accounts(distributor_id)
    if was_default and rest:
        _only_default(distributor_id, rest[0])
    audit.record("payout_account.retire", "payout_accounts", account.id)


def holder_of(account: PayoutAccount) -> Secret:
    """The holder's name in the open, for paying; raises Tampered."""
    return keys.open_personal(account.holder_sealed, "payout_accounts", "holder", account.uid)


def number_of(account: PayoutAccount) -> Secret:
    """The account's number in the open, for paying; raises Tampered."""
    return keys.open_personal(account.account_sealed, "payout_accounts", "account", account.uid)


def _seal(text: str, column: str, uid: str) -> bytes:
    return keys.seal_personal(text, "payout_accounts", column, uid)


def _only_default(distributor_id: int, account: PayoutAccount) -> None:
    # First none is, then one: at no moment are there two.
    session.execute(
        sa.update(PayoutAccount)
        .where(PayoutAccount.distributor_id == distributor_id, PayoutAccount.is_default)
        .values(is_default=False)
    )
    account.is_default = True
    session.flush()
