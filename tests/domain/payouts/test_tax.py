"""Tax is computed over the month and the person, whatever way the money is split."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
import time_machine
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app import invariants
from app.core import clock
from app.core.audit import AuditEntry
from app.core.crypto import Tampered
from app.core.db import session, transaction
from app.core.errors import Conflict, Refusal
from app.domain.catalog import preferences
from app.domain.channels.models import Distributor
from app.domain.payouts import invoices, tax, tax_profiles, tax_reports, withdrawals
from app.domain.payouts.models import Withdrawal, WithdrawalState
from app.domain.payouts.paper_models import IdentityKind, InvoiceState, TaxMode, TaxProfile
from app.domain.payouts.tax_profiles import ProfileFields
from app.domain.payouts.tax_rules import per_month
from app.providers.payouts.interface import Outcome, Result
from tests import factories, paying_out, people
from tests.paying_out import ObedientPayer

ZONE = ZoneInfo("Asia/Shanghai")
PDF = b"%PDF-1.7\n" + b"invoice " * 100
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def payer(app: Flask) -> Iterator[ObedientPayer]:
    transaction(
        lambda: preferences.change(
            {"payout_daily_count": 100, "payout_daily_amount": 10**10, "payout_minimum": 100}
        )
    )
    payer = ObedientPayer()
    with paying_out.paying_through(payer):
        yield payer


def paid(holder: Distributor, gross: int) -> Withdrawal:
    paying_out.credit(holder, gross)
    made = paying_out.submitted(holder, gross)
    factories.work()
    return paying_out.fresh(made)


def test_splitting_over_payouts_and_accounts_changes_no_tax(payer: ObedientPayer) -> None:
    """One person behind two distributors has one income; what is given back is none."""
    one, two = (paying_out.make_distributor() for _ in range(2))
    somebody = paying_out.resident(77)
    for holder in (one, two):
        paying_out.enter_profile(holder, somebody)
    first = paid(one, 700_00)
    second = paid(two, 3300_00)
    third = paid(one, 21_000_00)
    assert [w.tax for w in (first, second)] == [0, 640_00]
    assert sum(w.tax for w in (first, second, third)) == 4000_00
    assert (third.net, third.tax_method) == (21_000_00 - 3360_00, "individual_per_month")

    payer.answers = [Result(Outcome.RETURNED)]
    back = paid(two, 5000_00)
    number = back.id
    assert back.state == WithdrawalState.RETURNED
    for _ in range(2):
        assert transaction(lambda: tax.withhold(session.get_one(Withdrawal, number))).tax > 0
    transaction(lambda: withdrawals.refuse(number, "账户不对"))
    transaction(lambda: tax.release(number))
    with pytest.raises(Conflict):
        transaction(lambda: tax.withhold(session.get_one(Withdrawal, number)))

    month = tax.month_of(clock.now())
    rows = tax_reports.rows(month, month, only_paid=True)
    assert [(row.distributor.id, row.count, row.income, row.tax) for row in rows] == [
        (one.id, 2, 21_700_00, 3360_00),
        (two.id, 1, 3300_00, 640_00),
    ]
    ((_, name, identity), _) = tax_reports.identities(rows)
    assert (name, identity) == (somebody.name, somebody.identity)
    assert tax_reports.months() == [month]
    assert [one for one in invariants.run() if not one.holds] == []


@on_sqlite
@settings(
    max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(parts=st.lists(st.integers(100, 60_000_00), min_size=1, max_size=5))
def test_however_a_month_is_split(app: Flask, parts: list[int]) -> None:
    """Through the verbs, with what they write down."""
    holder = paying_out.make_distributor()
    account = paying_out.add_account(holder)
    kept = 0
    for part in parts:
        made = raw_withdrawal(holder, account.id, part)
        kept += transaction(lambda made=made: tax.withhold(session.merge(made))).tax
    assert kept == per_month(sum(parts), clock.today("Asia/Shanghai")).tax


def test_one_person_paid_twice_at_once_is_taxed_as_once(app: Flask) -> None:
    holders = [paying_out.make_distributor() for _ in range(3)]
    made = []
    for holder in holders:
        paying_out.enter_profile(holder, paying_out.resident(88))
        made.append(raw_withdrawal(holder, paying_out.add_account(holder).id, 10_000_00).id)

    def keep(one: int) -> int:
        return transaction(lambda: tax.withhold(session.get_one(Withdrawal, one)).tax)

    kept = people.at_once(app, [lambda one=one: keep(one) for one in made])

    assert sum(kept) == per_month(30_000_00, clock.today("Asia/Shanghai")).tax == 5200_00


def raw_withdrawal(holder: Distributor, account_id: int, gross: int) -> Withdrawal:
    """A row and nothing of what usually comes with it."""
    key = paying_out.ids.token()

    def make() -> Withdrawal:
        made = Withdrawal(
            number=key,
            request_key=key.encode(),
            distributor_id=holder.id,
            account_id=account_id,
            gross=gross,
            net=gross,
            tax_trace=[],
            submitted_at=clock.now(),
        )
        session.add(made)
        session.flush()
        return made

    return transaction(make)


@on_sqlite
def test_a_month_begins_at_midnight_in_the_shops_zone_and_a_year_adds_up(app: Flask) -> None:
    transaction(lambda: preferences.change({"is_platform": True}))
    holder = paying_out.make_distributor()
    account = paying_out.add_account(holder)
    assert tax.month_of(datetime(2026, 11, 30, 23, 59, tzinfo=ZONE)) == date(2026, 11, 1)
    assert tax.month_of(datetime(2026, 12, 1, 0, 0, tzinfo=ZONE)) == date(2026, 12, 1)

    def month(number: int, gross: int = 10_000_00) -> int:
        with time_machine.travel(datetime(2027, number, 9, 12, tzinfo=ZONE), tick=False):
            made = raw_withdrawal(holder, account.id, gross)
            return transaction(lambda: tax.withhold(session.merge(made))).tax

    assert [month(1), month(2), month(3)] == [90_00, 90_00, 90_00]
    # After a gap the count of months begins again: (40,000 × 80 % − 5,000) × 3 % − 270.
    assert month(5) == 810_00 - 270_00
    transaction(lambda: preferences.change({"tax_gap_restarts": False}))
    assert month(7) == 0
    with time_machine.travel(datetime(2028, 1, 9, 12, tzinfo=ZONE), tick=False):
        made = raw_withdrawal(holder, account.id, 10_000_00)
        assert transaction(lambda: tax.withhold(session.merge(made))).tax == 90_00, "a new year"


@on_sqlite
def test_what_is_paid_again_in_another_month_is_that_months_income(app: Flask) -> None:
    holder = paying_out.make_distributor()
    account = paying_out.add_account(holder)
    made = raw_withdrawal(holder, account.id, 4000_00)
    before = transaction(lambda: tax.withhold(session.merge(made)))
    later = SimpleNamespace(
        id=made.id,
        distributor_id=holder.id,
        gross=4000_00,
        submitted_at=clock.now() + timedelta(days=40),
    )
    after = transaction(lambda: tax.withhold(later))
    assert (before.id, before.tax, after.tax) == (after.id, 640_00, 640_00)
    assert after.month == tax.month_of(later.submitted_at)
    assert tax_reports.rows(before.created_at.date().replace(day=1), after.month)[0].count == 1


@on_sqlite
def test_each_mode_says_what_it_needs(app: Flask) -> None:
    holder = paying_out.make_distributor()
    account = paying_out.add_account(holder)
    made = raw_withdrawal(holder, account.id, 10_000_00)

    def withheld() -> int:
        return transaction(lambda: tax.withhold(session.merge(made))).tax

    def choose(mode: TaxMode, rate: int | None = None) -> TaxProfile:
        holder_id = holder.id
        return transaction(lambda: tax_profiles.choose_mode(holder_id, mode, rate, "与对方核对过"))

    transaction(lambda: session.execute(sa.delete(TaxProfile)))
    with pytest.raises(Refusal, match="还没有填写税务资料"):
        withheld()
    foreigner = ProfileFields(IdentityKind.PASSPORT, "Jane Doe", "e 1234-5678", is_resident=False)
    assert paying_out.enter_profile(holder, foreigner).mode == TaxMode.NON_RESIDENT
    with pytest.raises(Refusal, match="填写税率"):
        withheld()
    for mode, rate in ((TaxMode.NON_RESIDENT, 4501), (TaxMode.BUSINESS_INVOICE, None)):
        with pytest.raises(Refusal):
            choose(mode, rate)
    choose(TaxMode.NON_RESIDENT, 2000)
    tax.may_pay(made)
    assert withheld() == 2000_00
    outsourced = raw_withdrawal(holder, account.id, 10_000_00)
    choose(TaxMode.OUTSOURCED)
    assert transaction(lambda: tax.withhold(session.merge(outsourced))).tax == 0
    profile = tax_profiles.current(holder.id)
    assert profile is not None
    assert tax_profiles.identity_of(profile).reveal() == "E12345678"
    assert "12345678" not in repr(foreigner)
    session.rollback()
    kept = session.scalars(sa.select(AuditEntry).where(AuditEntry.subject == "tax_profiles"))
    assert "E12345678" not in str([(entry.detail, entry.reason) for entry in kept])

    def move_name() -> None:
        other = paying_out.make_distributor()
        theirs = tax_profiles.current(other.id)
        assert theirs is not None
        theirs.name_sealed = profile.name_sealed
        tax_profiles.name_of(theirs)

    with pytest.raises(Tampered):
        move_name()


@pytest.mark.parametrize(
    ("kind", "name", "identity"),
    [
        (IdentityKind.RESIDENT_ID, "李", "11010519491231002X"),
        (IdentityKind.RESIDENT_ID, "李小岚", "110105194912310021"),
        (IdentityKind.CREDIT_CODE, "某公司", "91110108551385082A"),
        (IdentityKind.PASSPORT, "Jane", "E1"),
    ],
)
def test_what_no_profile_takes(kind: IdentityKind, name: str, identity: str) -> None:
    with pytest.raises(Refusal):
        tax_profiles.read(ProfileFields(kind, name, identity))


def test_a_company_is_paid_when_its_invoice_is_accepted(payer: ObedientPayer) -> None:
    holder = paying_out.make_distributor(payable=90_000_00)
    assert paying_out.enter_company(holder).mode == TaxMode.BUSINESS_INVOICE
    account = paying_out.add_account(holder)
    one, two = (paying_out.ask(holder, gross, account) for gross in (60_000_00, 30_000_00))
    holder_id, number, other = holder.id, one.number, two.number

    def upload(content: bytes = PDF, of: str = number, printed: str = "12345678") -> str:
        return transaction(lambda: invoices.upload(holder_id, of, printed, content).uid)

    for content in (b"", b"<html>", b"MZ\x90", b"%PDF-" + bytes(invoices.MOST_BYTES)):
        with pytest.raises(Refusal):
            upload(content)
    with pytest.raises(Refusal, match="发票号码"):
        upload(printed="=1+1")
    refused = upload()
    with pytest.raises(Conflict):
        upload()
    with pytest.raises(Refusal, match="另一笔"):
        upload(of=other)
    transaction(lambda: invoices.refuse(refused, "金额不对"))
    uid = upload(b"\x89PNG\r\n\x1a\n" + PDF)
    assert [w.number for w in invoices.waiting_for(holder_id)] == [other]
    paying_out.approve(one)
    paying_out.submit("alipay")
    assert paying_out.fresh(one).state == WithdrawalState.APPROVED, "nobody has looked at it"
    transaction(lambda: invoices.accept(uid))
    with pytest.raises(Conflict):
        transaction(lambda: invoices.refuse(uid, "晚了"))
    paying_out.submit("alipay")
    factories.work()
    done = paying_out.fresh(one)
    assert (done.state, done.tax, done.net) == (WithdrawalState.PAID, 0, 60_000_00)
    invoice = invoices.find(uid)
    assert (invoice.state, invoice.media_type) == (InvoiceState.ACCEPTED, "image/png")
    assert invoices.content_of(invoice).endswith(PDF)
    assert b"invoice" not in invoice.content_sealed
