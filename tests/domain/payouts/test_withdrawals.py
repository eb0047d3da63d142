"""From her balance to her account and back: what each step does to money, commissions, books."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
import sqlalchemy as sa
import time_machine
from flask import Flask

from app import invariants
from app.core import clock
from app.core.actors import acting_as
from app.core.db import session, transaction
from app.core.errors import Conflict, NotFound, Refusal
from app.domain.accounts.models import Role
from app.domain.catalog import preferences
from app.domain.channels.models import Commission, CommissionState, DistributorState
from app.domain.ledger.models import LedgerAccount, LedgerBalance
from app.domain.payouts import accounts, batches, paying, queries, withdrawals
from app.domain.payouts.models import AccountState, Withdrawal, WithdrawalState
from app.domain.payouts.withdrawals import Wish
from app.providers.payouts.bank_file import ResultRow
from app.providers.payouts.interface import Outcome, Result
from tests import earning, factories, paying_out, people
from tests.paying_out import ALIPAY, BANK, COMPANY, ObedientPayer

S = WithdrawalState


@pytest.fixture
def payer(app: Flask) -> Iterator[ObedientPayer]:
    made = ObedientPayer()
    with paying_out.paying_through(made):
        yield made


@pytest.fixture(autouse=True)
def audited(app: Flask) -> Iterator[None]:
    """Whatever was tried, the books balance and nothing was paid twice."""
    yield
    session.rollback()
    session.expire_all()
    assert [finding for finding in invariants.run() if not finding.holds] == []


def balance(code: str) -> int:
    session.rollback()
    found = session.scalar(
        sa.select(LedgerBalance.balance)
        .join(LedgerAccount, LedgerAccount.id == LedgerBalance.account_id)
        .where(LedgerAccount.code == code)
    )
    return int(found or 0)


def states(*commissions: Commission) -> list[CommissionState]:
    session.rollback()
    session.expire_all()
    return [session.get_one(Commission, one.id).state for one in commissions]


def work_in(after: timedelta) -> None:
    with time_machine.travel(clock.now() + after, tick=True):
        factories.work()


def test_from_the_request_to_her_account(payer: ObedientPayer) -> None:
    """The oldest commissions go first; one that is claimed in part stays payable for the rest."""
    transaction(lambda: preferences.change({"payout_fee": 100}))
    holder = paying_out.make_distributor()
    product = factories.make_product()
    first, second = (earning.earn(factories.buy(product), holder, amount=3000) for _ in range(2))
    account = paying_out.add_account(holder)

    withdrawal = paying_out.ask(holder, 4000, account, key="k1")
    again = paying_out.ask(holder, 4000, account, key="k1")

    assert again.id == withdrawal.id, "the same form is one withdrawal"
    assert paying_out.balances(holder) == (2000, 4000)
    assert states(first, second) == [CommissionState.SETTLING, CommissionState.PAYABLE]
    paying_out.approve(withdrawal)
    paying_out.submit("alipay")
    assert paying_out.fresh(withdrawal).state == S.PAYING
    factories.work()

    paid = paying_out.fresh(withdrawal)
    assert (paid.state, paid.reference, paid.net) == (S.PAID, "A1", 3900)
    assert payer.calls == [f"submit {paid.number} 3900"]
    assert paying_out.balances(holder) == (2000, 0)
    assert (balance("channel:alipay"), balance("payout_fee")) == (-3900, -100)
    assert states(first, second) == [CommissionState.PAID, CommissionState.PAYABLE]

    rest = paying_out.ask(holder, 2000, account)
    assert states(second) == [CommissionState.SETTLING]
    holder_id, number = holder.id, rest.number
    transaction(lambda: withdrawals.cancel(holder_id, number))
    assert states(second) == [CommissionState.PAYABLE]
    assert paying_out.balances(holder) == (2000, 0)
    with pytest.raises(Conflict):
        transaction(lambda: withdrawals.cancel(holder_id, number))
    paying_out.submitted(holder, 2000)
    factories.work()
    assert states(first, second) == [CommissionState.PAID, CommissionState.PAID]
    assert balance("tax_withheld") == 0


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_what_may_be_asked_for(app: Flask) -> None:
    holder, other = (paying_out.make_distributor(payable=100_000) for _ in range(2))
    account, foreign = paying_out.add_account(holder), paying_out.add_account(other)
    wanted = {"payout_daily_count": 2, "payout_daily_amount": 50_000}
    transaction(lambda: preferences.change(wanted))

    def refused(gross: int, uid: str = account.uid) -> str:
        with pytest.raises(Refusal) as refusal:
            transaction(lambda: withdrawals.request(holder.id, Wish(uid, gross, f"{gross}")))
        session.rollback()
        return f"{refusal.value.field}: {refusal.value}"

    assert refused(100_001) == "amount: 最多可以提现 1,000.00 元"
    assert refused(999) == "amount: 每次至少提现 10.00 元"
    assert refused(0).startswith("amount: 每次至少")
    assert refused(-5000).startswith("amount: 每次至少")
    assert refused(50_001) == "amount: 今天还可以提现 500.00 元"
    assert refused(5000, foreign.uid).startswith("account: "), "somebody else's account"
    one = paying_out.ask(holder, 40_000, account)
    assert refused(10_001) == "amount: 今天还可以提现 100.00 元"
    paying_out.ask(holder, 1000, account)
    assert refused(1001) == "amount: 每天最多提现 2 次，请明天再来"
    with time_machine.travel(clock.now() + timedelta(days=1), tick=True):
        paying_out.ask(holder, 1000, account)
    with pytest.raises(NotFound):
        queries.find_for(other.id, one.number)
    with pytest.raises(NotFound):
        transaction(lambda: withdrawals.cancel(other.id, one.number))
    holder_id, uid = holder.id, account.uid

    def suspend() -> None:
        queries.lock_distributor(holder_id).state = DistributorState.SUSPENDED

    transaction(suspend)
    with pytest.raises(Conflict):
        transaction(lambda: withdrawals.request(holder_id, Wish(uid, 1000, "z")))


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_maker_and_checker_are_two_people(payer: ObedientPayer) -> None:
    """For the first payout, for much, for a new account; never oneself."""
    holder = paying_out.make_distributor(payable=2_000_000)
    account = paying_out.add_account(holder)
    people.make(Role.OWNER)
    alone = paying_out.ask(holder, 1000, account)
    assert queries.reasons_to_check(alone) == [], "nobody else could look"
    transaction(lambda: withdrawals.cancel(holder.id, alone.number))
    people.make(Role.FINANCE)

    def looks(staff: str, withdrawal: Withdrawal) -> bool:
        with acting_as(staff):
            return transaction(lambda: withdrawals.approve(withdrawal.id))

    first = paying_out.ask(holder, 1000, account)
    assert queries.reasons_to_check(first) == ["first"]
    assert not looks("person:900001", first)
    with pytest.raises(Conflict, match="另一位同事"):
        looks("person:900001", first)
    with pytest.raises(Conflict, match="自己的提现"):
        looks(f"person:{holder.person_id}", first)
    assert looks("person:900002", first)
    with pytest.raises(Conflict):
        looks("person:900003", first)
    paying_out.submit("alipay")
    factories.work()

    assert looks("person:900001", paying_out.ask(holder, 500_000, account)), "one is enough"
    much = paying_out.ask(holder, 500_001, account)
    assert queries.reasons_to_check(much) == ["amount"]
    assert not looks("person:900001", much)
    paying_out.age(account.id, timedelta(days=-3))
    with time_machine.travel(clock.now() + timedelta(days=1), tick=True):
        assert queries.reasons_to_check(paying_out.ask(holder, 2000, account)) == ["account"]


def test_a_refusal_comes_back_and_is_paid_again_under_the_same_number(
    payer: ObedientPayer,
) -> None:
    """REFUSED moved nothing: staff mend the cause and pay under the number, or give it back."""
    holder = paying_out.make_distributor()
    commission = earning.earn(
        factories.buy(factories.make_product(price=5000)), holder, amount=5000
    )
    payer.answers = [Result(Outcome.REFUSED, reason="PAYER_BALANCE_NOT_ENOUGH")]
    withdrawal = paying_out.submitted(holder, 5000)
    factories.work()

    back = paying_out.fresh(withdrawal)
    assert (back.state, back.reason) == (S.RETURNED, "PAYER_BALANCE_NOT_ENOUGH")
    assert paying_out.balances(holder) == (0, 5000)
    withdrawal_id = withdrawal.id
    transaction(lambda: withdrawals.pay_again(withdrawal_id, "充值了"))
    paying_out.submit("alipay")
    factories.work()
    assert paying_out.fresh(withdrawal).state == S.PAID
    assert payer.calls == [f"submit {back.number} 5000"] * 2

    # Days later the payee's bank sends it back: what was booked is booked back, then given back.
    payer.answers = [Result(Outcome.RETURNED, "A1", "账户已销户")]
    work_in(timedelta(days=1, hours=1))
    returned = paying_out.fresh(withdrawal)
    assert (returned.state, returned.reason) == (S.RETURNED, "账户已销户")
    assert (balance("channel:alipay"), paying_out.balances(holder)) == (0, (0, 5000))
    assert states(commission) == [CommissionState.SETTLING]
    with pytest.raises(Conflict, match="单号"):
        transaction(lambda: withdrawals.pay_again(withdrawal_id, "再试"))
    transaction(lambda: withdrawals.refuse(withdrawal_id, "账户已销户"))
    assert paying_out.balances(holder) == (5000, 0)
    assert states(commission) == [CommissionState.PAYABLE]


def test_doubt_is_asked_about_and_sent_again_only_under_its_number(payer: ObedientPayer) -> None:
    holder = paying_out.make_distributor(payable=5000)
    unknown, missing = Result(Outcome.UNKNOWN, reason="timeout"), Result(Outcome.NOT_FOUND)
    payer.answers = [unknown, missing, missing]
    withdrawal = paying_out.submitted(holder, 5000)
    factories.work()
    assert paying_out.fresh(withdrawal).state == S.UNKNOWN
    work_in(timedelta(seconds=6))
    assert payer.calls[-1].startswith("query "), "a call may still be on its way"
    payer.answers = [missing, Result(Outcome.PENDING, "A2")]
    work_in(timedelta(seconds=90))
    pending = paying_out.fresh(withdrawal)
    assert (pending.state, payer.calls[-1]) == (S.PAYING, f"submit {pending.number} 5000")
    payer.answers = [Result(Outcome.AWAITING_PAYEE)]
    work_in(timedelta(minutes=10))
    assert paying_out.fresh(withdrawal).state == S.AWAITING_PAYEE
    payer.answers = [unknown, Result(Outcome.PAID, "A2")]
    work_in(timedelta(minutes=40))
    work_in(timedelta(minutes=80))
    assert paying_out.fresh(withdrawal).state == S.PAID
    assert paying_out.balances(holder) == (0, 0)

    # What contradicts an end changes nothing; what repeats it neither.
    tries, one = withdrawal.tries, withdrawal.id
    for outcome in (Outcome.PAID, Outcome.AWAITING_PAYEE, Outcome.UNKNOWN, Outcome.PENDING):
        transaction(lambda outcome=outcome: paying.take(one, tries, Result(outcome)))
    transaction(lambda: paying.take(one, tries - 1, Result(Outcome.RETURNED)))
    assert paying_out.fresh(withdrawal).state == S.PAID


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_batch_for_the_bank_is_confirmed_singly_or_by_its_answer(app: Flask) -> None:
    holder = paying_out.make_distributor(payable=60_000)
    account = paying_out.add_account(holder, BANK)
    company = paying_out.add_account(holder, COMPANY)
    one, two, three = (
        paying_out.approve(paying_out.ask(holder, amount, to))
        for amount, to in ((10_000, account), (20_000, company), (30_000, account))
    )
    batch_id = paying_out.submit("bank_file").id
    with pytest.raises(Conflict):
        transaction(lambda: batches.submit(batch_id))

    transaction(lambda: paying.confirm_by_hand(one.id, "ICBC0001"))
    rows = [
        ResultRow(2, one.number, True),
        ResultRow(3, two.number, True, 20_000, "ICBC0002"),
        ResultRow(4, three.number, False, reason="户名不符"),
    ]
    for wrong in (
        [*rows, ResultRow(5, "NOBODY", True)],
        [*rows[:2], ResultRow(4, three.number, True, 29_999)],
    ):
        with pytest.raises(Refusal, match="第 "):
            transaction(lambda wrong=wrong: batches.take_results(batch_id, wrong))
        assert paying_out.fresh(two).state == S.PAYING, "all of the file or nothing"
    assert transaction(lambda: batches.take_results(batch_id, rows)) == (1, 1)
    assert transaction(lambda: batches.take_results(batch_id, rows)) == (0, 0)

    assert [paying_out.fresh(w).state for w in (one, two, three)] == [S.PAID, S.PAID, S.RETURNED]
    assert (balance("bank"), paying_out.balances(holder)) == (-30_000, (0, 30_000))
    transaction(lambda: paying.return_by_hand(one.id, "退票"))
    assert balance("bank") == -20_000
    transaction(lambda: withdrawals.pay_again(one.id, "改用人工"))
    paying_out.submit("manual")
    with pytest.raises(Refusal):
        transaction(lambda: paying.confirm_by_hand(one.id, "1"))
    transaction(lambda: paying.confirm_by_hand(one.id, "HAND0001"))
    assert paying_out.fresh(one).tries == 2


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_an_account_is_new_once_and_never_changed(payer: ObedientPayer) -> None:
    """A day passes before it is paid to; retired it is never paid to; its row stays."""
    holder = paying_out.make_distributor(person=people.make(), payable=10_000)
    holder_id = holder.id
    account = transaction(lambda: accounts.add(holder_id, ALIPAY))
    assert (account.is_default, account.account_masked, account.holder_masked) == (
        True,
        "139****5678",
        "李**",
    )
    assert b"139" not in account.account_sealed
    assert accounts.number_of(account).reveal() == "13912345678"
    withdrawal = paying_out.approve(paying_out.ask(holder, 5000, account))
    with pytest.raises(Conflict):
        transaction(lambda: batches.gather("alipay"))
    with pytest.raises(Refusal, match="已经在列表里"):
        transaction(lambda: accounts.add(holder_id, ALIPAY))

    card = transaction(lambda: accounts.add(holder_id, BANK))
    with time_machine.travel(clock.now() + timedelta(hours=25), tick=True):
        batch_id = transaction(lambda: batches.gather("alipay")).id
        uid = account.uid
        transaction(lambda: accounts.retire(holder_id, uid))
        done = transaction(lambda: batches.submit(batch_id))
    assert (done.sent, done.put_back) == (0, 1)
    kept = paying_out.fresh(withdrawal)
    assert (kept.state, kept.batch_id, kept.reason) == (S.APPROVED, None, "收款账户已停用")
    assert payer.calls == []
    active = queries.active_accounts(holder_id)
    assert [(one.id, one.is_default) for one in active] == [(card.id, True)]
    assert len(queries.accounts_of(holder_id)) == 2
    with pytest.raises(Conflict):
        transaction(lambda: accounts.make_default(holder_id, uid))
    with pytest.raises(Refusal, match="已停用"):
        paying_out.ask(holder, 1000, session.merge(account))
    assert session.merge(account).state == AccountState.RETIRED


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_what_is_withheld_is_booked_and_comes_back(payer: ObedientPayer) -> None:
    """The tax of the moment of submission; one that may not be paid is put back, and says why."""
    holder, other = (paying_out.make_distributor(payable=400_000) for _ in range(2))
    paying_out.enter_company(other)
    for one in (holder, other):
        paying_out.approve(paying_out.ask(one, 400_000, paying_out.add_account(one)))
    paying_out.submit("alipay")
    factories.work()

    paid, kept = (queries.list_of(one.id)[0] for one in (holder, other))
    assert (paid.state, paid.gross, paid.tax, paid.net) == (S.PAID, 400_000, 64_000, 336_000)
    assert paid.tax_method == "individual_per_month"
    assert paid.tax_trace[-1] == ["tax", 64_000]
    assert (kept.state, kept.batch_id) == (S.APPROVED, None)
    assert "发票" in kept.reason
    assert (balance("tax_withheld"), balance("channel:alipay")) == (-64_000, -336_000)
    payer.answers = [Result(Outcome.RETURNED)]
    work_in(timedelta(days=1, hours=1))
    assert (balance("tax_withheld"), balance("channel:alipay")) == (0, 0)
    assert paying_out.balances(holder) == (0, 400_000)


def test_the_last_fen_is_withdrawn_once(app: Flask) -> None:
    holder = paying_out.make_distributor(payable=1000)
    account = paying_out.add_account(holder)
    holder_id, uid = holder.id, account.uid

    def ask(key: str) -> int:
        wish = Wish(uid, 1000, key)
        return transaction(lambda: withdrawals.request(holder_id, wish)).gross

    answers = people.at_once(app, [lambda key=str(n): ask(key) for n in range(4)])

    assert [one for one in answers if one == 1000] == [1000]
    assert sum(isinstance(one, Refusal) for one in answers) == 3
    assert paying_out.balances(paying_out.fresh_holder(holder_id)) == (0, 1000)
