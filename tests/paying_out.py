"""Plain functions that make distributors with money, their accounts and withdrawals."""

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta

import sqlalchemy as sa

from app.core import ids
from app.core.actors import acting_as
from app.core.db import session, transaction
from app.domain.accounts.models import Person
from app.domain.channels.models import (
    Distributor,
)
from app.domain.ledger import service as ledger
from app.domain.payouts import accounts, batches, queries, tax_profiles, withdrawals
from app.domain.payouts.models import AccountKind, PayoutAccount, PayoutBatch, Withdrawal
from app.domain.payouts.paper_models import IdentityKind, TaxProfile
from app.domain.payouts.rules import AccountFields
from app.domain.payouts.tax_profiles import ProfileFields
from app.domain.payouts.withdrawals import Wish
from app.providers import payouts
from app.providers.callbacks import Callback, Forged, Reply
from app.providers.payouts.interface import Notice, Outcome, Provider, Result, Transfer
from tests import sellers

CARD = "6225 8812 3456 7898"
ALIPAY = AccountFields(AccountKind.ALIPAY, "李小岚", "13912345678")
BANK = AccountFields(AccountKind.BANK_CARD, "李小岚", CARD, "招商银行")
COMPANY = AccountFields(
    AccountKind.COMPANY, "上海小岚贸易有限公司", "310066661018800012345", "交通银行", "上海静安支行"
)
COMPANY_CODE = "91110108551385082Q"
_numbers = itertools.count(1)


def make_distributor(person: Person | None = None, payable: int = 0) -> Distributor:
    """Somebody who sells, equipped to withdraw."""
    return equip(sellers.make(person), payable)


def equip(holder: Distributor, payable: int = 0) -> Distributor:
    """A tax profile for her, and so much to withdraw that stands in the ledger alone."""
    enter_profile(holder, resident(next(_numbers)))
    if payable:
        credit(holder, payable)
    return holder


def resident(number: int) -> ProfileFields:
    """Somebody who lives here, with a number of her own that has its check digit."""
    digits = f"11010519{50 + number // 999 % 50}1231{number % 999:03d}"
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    total = sum(int(digit) * weight for digit, weight in zip(digits, weights, strict=True))
    return ProfileFields(IdentityKind.RESIDENT_ID, "李小岚", digits + "10X98765432"[total % 11])


def enter_profile(holder: Distributor, fields: ProfileFields) -> TaxProfile:
    """Her tax profile from now on."""
    holder_id = holder.id
    return transaction(lambda: tax_profiles.enter(holder_id, fields))


def enter_company(holder: Distributor, code: str = COMPANY_CODE) -> TaxProfile:
    """She is a company, which sends invoices."""
    fields = ProfileFields(IdentityKind.CREDIT_CODE, "上海小岚贸易有限公司", code)
    return enter_profile(holder, fields)


def credit(holder: Distributor, amount: int) -> None:
    """So much more that she can withdraw."""
    key, uid = f"test:{next(_numbers)}", holder.uid
    lines = {"commission": amount, f"commission_payable:{uid}": -amount}
    transaction(lambda: ledger.post(key, "commission", "distributors", 1, lines))


def add_account(holder: Distributor, fields: AccountFields = ALIPAY) -> PayoutAccount:
    """An account of hers that has stood for four days: nobody has to look twice at it."""
    holder_id = holder.id
    account_id = transaction(lambda: accounts.add(holder_id, fields)).id
    return age(account_id, timedelta(days=4))


def age(account_id: int, days: timedelta) -> PayoutAccount:
    """Let an account be so much older."""

    def make() -> PayoutAccount:
        account = session.get_one(PayoutAccount, account_id)
        account.created_at -= days
        account.usable_at -= days
        return account

    return transaction(make)


def ask(holder: Distributor, gross: int, account: PayoutAccount, key: str = "") -> Withdrawal:
    wish = Wish(account.uid, gross, key or ids.token())
    holder_id = holder.id
    return transaction(lambda: withdrawals.request(holder_id, wish))


def approve(withdrawal: Withdrawal) -> Withdrawal:
    """As many members of staff look at it as have to."""
    one = withdrawal.id
    for staff in ("person:900001", "person:900002"):
        with acting_as(staff):
            if transaction(lambda: withdrawals.approve(one)):
                break
    return fresh(withdrawal)


def submit(method: str) -> PayoutBatch:
    """Gather what is approved and submit it."""
    batch = transaction(lambda: batches.gather(method))
    batch_id = batch.id
    transaction(lambda: batches.submit(batch_id))
    return batch


def submitted(holder: Distributor, gross: int, method: str = "alipay") -> Withdrawal:
    """A withdrawal of hers, asked for, approved and submitted."""
    accounts_ = queries.active_accounts(holder.id)
    account = accounts_[0] if accounts_ else add_account(holder)
    withdrawal = ask(holder, gross, account)
    approve(withdrawal)
    submit(method)
    return fresh(withdrawal)


def fresh(withdrawal: Withdrawal) -> Withdrawal:
    """The withdrawal as the database has it now."""
    withdrawal_id = sa.inspect(withdrawal).identity[0]
    session.rollback()
    session.expire_all()
    return session.get_one(Withdrawal, withdrawal_id)


def balances(holder: Distributor) -> tuple[int, int]:
    """What she can withdraw, and what is on its way."""
    session.rollback()
    return queries.payable(holder.uid), queries.pending(holder.uid)


@dataclass
class ObedientPayer:
    """A channel that says what a test tells it to, behind the real interface: `alipay` to the shop.

    The real protocol is tested against the real sandbox process.
    """

    answers: list[Result] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    name: str = "alipay"
    title: str = "alipay"
    kinds: frozenset[str] = frozenset({"alipay"})
    pays_by_itself: bool = True
    has_file: bool = False
    ledger_account: str = "channel:alipay"

    def submit(self, transfer: Transfer) -> Result:
        self.calls.append(f"submit {transfer.number} {transfer.amount}")
        return self._next()

    def query(self, number: str) -> Result:
        self.calls.append(f"query {number}")
        return self._next()

    def _next(self) -> Result:
        return self.answers.pop(0) if self.answers else Result(Outcome.PAID, "A1")

    def parse_callback(self, message: Callback) -> Notice:
        raise Forged

    def acknowledge(self, accepted: bool) -> Reply:
        return Reply(200, "text/plain", "success")


@contextmanager
def paying_through(provider: Provider) -> Iterator[None]:
    """Within the block the shop pays through it."""
    before = dict(payouts._providers)
    payouts._providers[provider.name] = provider
    try:
        yield
    finally:
        payouts._providers.clear()
        payouts._providers.update(before)


def fresh_holder(distributor_id: int) -> Distributor:
    """The distributor as the database has her now."""
    session.rollback()
    session.expire_all()
    return session.get_one(Distributor, distributor_id)
