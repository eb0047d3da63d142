"""Review by two, a batch, the bank's file and its answer: as staff do it in the console."""

import io

import pytest
import sqlalchemy as sa
from flask import Flask

from app.core.audit import AuditEntry
from app.core.db import session
from app.domain.accounts.models import Role
from app.domain.catalog import preferences
from app.domain.payouts import queries
from app.domain.payouts.models import WithdrawalState
from tests import paying_out, people
from tests.web.visitors import Visitor, location, words

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def state_of(number: str) -> WithdrawalState:
    session.rollback()
    session.expire_all()
    return queries.find(number).state


def test_from_review_to_the_banks_answer(app: Flask) -> None:
    holder = paying_out.make_distributor(payable=50_000)
    account = paying_out.add_account(holder, paying_out.BANK)
    one, two = (paying_out.ask(holder, amount, account).number for amount in (20_000, 30_000))
    maker, checker = (Visitor(app, people.make(Role.FINANCE)) for _ in range(2))
    auditor = Visitor(app, people.make(Role.AUDITOR))
    assert "待审核的提现" in words(maker.get("/admin/"))

    page = words(maker.get(f"/admin/withdrawals/{one}"))
    assert "需要两位同事先后审核" in page
    assert "第一次提现" in page
    for number in (one, two):
        for visitor in (maker, maker, checker):
            assert state_of(number) == WithdrawalState.REQUESTED
            visitor.post(f"/admin/withdrawals/{number}/approval")
    assert auditor.post("/admin/payouts", {"method": "bank_file"}).status_code == 403
    batch = location(maker.post("/admin/payouts", {"method": "bank_file"}))
    assert maker.get(f"{batch}/file").status_code == 409, "before it is submitted"
    maker.post(f"{batch}/submission")
    assert "打款中" in words(maker.get(batch))

    file = maker.get(f"{batch}/file?template=cmb")
    assert file.status_code == 200
    assert account.account_masked[-4:] in file.text
    assert paying_out.CARD.replace(" ", "") in file.text
    assert maker.get(f"{batch}/file?template=nobody").status_code == 404
    assert auditor.get(f"{batch}/file").status_code == 403
    session.rollback()
    downloads = session.scalars(
        sa.select(AuditEntry).where(AuditEntry.action == "payout_batch.file")
    )
    assert [entry.detail for entry in downloads] == [{"rows": 2, "template": "cmb"}]

    def upload(text: str) -> tuple[int, str]:
        sent = maker.post(
            f"{batch}/results",
            {"file": (io.BytesIO(text.encode()), "r.csv")},
            content_type="multipart/form-data",
        )
        return sent.status_code, words(sent)

    status, said = upload("number,state\nNOBODY,paid\n")
    assert (status, "第 2 行的单号不在这个批次里" in said) == (422, True)
    assert upload(f"number,state,reason\n{one},paid,\n{two},failed,户名不符\n")[0] == 303
    assert (state_of(one), state_of(two)) == (WithdrawalState.PAID, WithdrawalState.RETURNED)
    page = words(maker.get(f"/admin/withdrawals/{two}"))
    assert "户名不符" in page
    assert "重新打款" in page
    assert "被退回的提现" in words(maker.get("/admin/"))

    maker.post(f"/admin/withdrawals/{two}/resubmission", {"reason": "改好了"})
    again = location(maker.post("/admin/payouts", {"method": "manual"}))
    maker.post(f"/admin/withdrawals/{two}/removal")
    assert two not in maker.get(again).text
    again = location(maker.post("/admin/payouts", {"method": "manual"}))
    maker.post(f"{again}/submission")
    maker.post(f"/admin/withdrawals/{two}/payment", {"reference": "HAND0001"})
    assert state_of(two) == WithdrawalState.PAID
    assert paying_out.balances(holder) == (0, 0)
    assert "HAND0001" in words(maker.get(f"/admin/withdrawals/{two}"))
    assert "text/csv" in maker.get("/admin/withdrawals?format=csv").headers["Content-Type"]


def test_the_rules_of_withdrawals_are_the_owners(app: Flask) -> None:
    owner = Visitor(app, people.make(Role.OWNER))
    form = {
        "payout_minimum": "20",
        "payout_fee": "1.50",
        "payout_daily_count": "5",
        "payout_daily_amount": "3000",
        "payout_check_above": "1000",
    }
    assert owner.post("/admin/settings/payouts", form).status_code == 303
    kept = preferences.fresh()
    assert (kept.payout_minimum, kept.payout_fee, kept.payout_daily_count) == (2000, 150, 5)
    assert (kept.payout_daily_amount, kept.payout_check_above) == (300_000, 100_000)
    for wrong in (
        {"payout_fee": "10.01"},
        {"payout_minimum": "x"},
        {"payout_daily_count": "0"},
        {"payout_daily_amount": "19.99"},
        {"payout_check_above": "50000.01"},
    ):
        page = owner.post("/admin/settings/payouts", form | wrong)
        assert page.status_code == 422, wrong
        assert f'value="{next(iter(wrong.values()))}"' in page.text
    assert preferences.fresh() == kept
