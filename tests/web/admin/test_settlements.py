"""Statements, invoices and tax in the console: read, corrected, answered, reported."""

import csv
import io
import zipfile

import pytest
import sqlalchemy as sa
from flask import Flask

from app.core import clock
from app.core.audit import AuditEntry
from app.core.db import session, transaction
from app.domain.accounts.models import Role
from app.domain.catalog import preferences
from app.domain.payouts import invoices, statements, tax_profiles
from app.domain.payouts.paper_models import IdentityKind, TaxMode
from app.domain.payouts.tax_profiles import ProfileFields
from tests import factories, paying_out, people
from tests.web.portal.test_statements import PDF, paid_by_hand
from tests.web.visitors import Visitor, location, words

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def acts() -> list[str]:
    session.rollback()
    return list(session.scalars(sa.select(AuditEntry.action).order_by(AuditEntry.id)))


def test_a_statement_is_answered_for_corrected_and_packed_for_the_bank(app: Flask) -> None:
    transaction(lambda: preferences.change({"payout_daily_amount": 10**10}))
    holder = paying_out.make_distributor(payable=10_000_000)
    number = paid_by_hand(holder, 9_000_000)
    small = paid_by_hand(holder, 1_000_000)
    holder_id = holder.id
    transaction(lambda: statements.dispute(holder_id, number, "名字错了"))
    finance, auditor = (
        Visitor(app, people.make(Role.FINANCE)),
        Visitor(app, people.make(Role.AUDITOR)),
    )
    assert "结算单异议" in words(finance.get("/admin/"))
    listed = words(finance.get("/admin/settlements?needs=answer"))
    assert number in listed
    assert small not in listed
    page, url = finance.get(f"/admin/settlements/{number}"), f"/admin/settlements/{number}"
    assert "对方的异议：名字错了" in words(page)
    assert "李小岚" not in page.text

    for act in ("correction", "answer"):
        assert auditor.post(f"{url}/{act}", {"reason": "我来改"}).status_code == 403
    assert auditor.get(f"{url}/package").status_code == 403
    finance.post(f"{url}/correction", {"reason": ""})
    assert statements.find(number).superseded_by == ""
    finance.post(f"{url}/answer", {"reason": "查过，没有错"})
    assert "查过，没有错" in words(finance.get(url))
    new = location(finance.post(f"{url}/correction", {"reason": "付款方名称更正"}))
    assert "更正原因：付款方名称更正" in words(finance.get(new))
    assert "已被更正" in words(finance.get(url))
    finance.post(f"{url}/correction", {"reason": "再改一次"})
    session.rollback()
    assert len(statements.list_of(holder_id)) == 3

    assert auditor.get(f"{new}/pdf").data.startswith(b"%PDF")
    assert auditor.get(f"{new}/xlsx").status_code == 200
    packed = finance.get(f"{new}/package")
    with zipfile.ZipFile(io.BytesIO(packed.data)) as archive:
        assert len(archive.namelist()) == 3
        assert "付款依据说明" in archive.read("basis.txt").decode()
    assert finance.get(f"/admin/settlements/{small}/package").status_code == 404
    assert {"settlement.answer", "settlement.correct", "settlement.package"} <= set(acts())
    rows = list(csv.reader(io.StringIO(auditor.get("/admin/settlements?format=csv").text)))
    assert len(rows) == 4
    assert "settlements.export" in acts()


def test_an_invoice_is_saved_and_decided_about(app: Flask) -> None:
    holder = paying_out.make_distributor(payable=500_000)
    paying_out.enter_company(holder)
    account = paying_out.add_account(holder)
    one, two = (paying_out.ask(holder, gross, account).number for gross in (300_000, 200_000))
    holder_id = holder.id
    first, second = (
        transaction(lambda n=n, w=w: invoices.upload(holder_id, w, n, PDF).uid)
        for n, w in (("12345678", one), ("12345679", two))
    )
    finance, auditor = (
        Visitor(app, people.make(Role.FINANCE)),
        Visitor(app, people.make(Role.AUDITOR)),
    )
    assert "待核对的发票" in words(finance.get("/admin/"))
    assert "12345678" in words(auditor.get("/admin/invoices"))
    assert auditor.get(f"/admin/invoices/{first}/file").status_code == 403
    saved = finance.get(f"/admin/invoices/{first}/file")
    assert saved.data == PDF
    assert saved.headers["Content-Disposition"] == 'attachment; filename="invoice-12345678.pdf"'
    assert saved.headers["X-Content-Type-Options"] == "nosniff"
    finance.post(f"/admin/invoices/{first}/acceptance")
    finance.post(f"/admin/invoices/{second}/refusal", {"reason": ""})
    assert invoices.find(second).reason == ""
    finance.post(f"/admin/invoices/{second}/refusal", {"reason": "抬头不对"})
    finance.post(f"/admin/invoices/{first}/refusal", {"reason": "后悔了"})
    session.rollback()
    session.expire_all()
    assert [str(invoices.find(uid).state) for uid in (first, second)] == ["accepted", "refused"]
    assert "抬头不对" in words(finance.get("/admin/invoices?state=refused"))
    assert [act for act in acts() if act.startswith("invoice.")] == [
        "invoice.file",
        "invoice.accept",
        "invoice.refuse",
    ]


def test_the_month_and_the_reports_to_the_tax_office(app: Flask) -> None:
    holder, other = (paying_out.make_distributor(payable=1_000_000) for _ in range(2))
    formula = ProfileFields(IdentityKind.PASSPORT, "=1+1", "E1234567", is_resident=False)
    paying_out.enter_profile(other, formula)
    finance, auditor = (
        Visitor(app, people.make(Role.FINANCE)),
        Visitor(app, people.make(Role.AUDITOR)),
    )
    page = f"/admin/taxes/payees/{other.uid}"
    form = {"mode": "non_resident", "reason": "按协定税率"}
    assert auditor.post(page, form | {"rate": "10"}).status_code == 403
    for wrong in ({"rate": ""}, {"rate": "45.01"}, {"rate": "x"}, {"rate": "10", "reason": ""}):
        assert finance.post(page, form | wrong).status_code == 422, wrong
    assert location(finance.post(page, form | {"rate": "12.5"})) == page
    session.rollback()
    profile = tax_profiles.current(other.id)
    assert profile is not None
    assert (profile.mode, profile.rate_bp) == (TaxMode.NON_RESIDENT, 1250)
    assert 'value="12.50"' in finance.get(page).text
    assert "E1234567" not in finance.get(page).text
    paid_by_hand(holder, 500_000)
    paid_by_hand(other, 1_000_000)

    shown = words(auditor.get("/admin/taxes"))
    for text in ("2,050.00", "15,000.00", "非居民个人", "劳务报酬，按月预扣"):
        assert text in shown, text
    assert "这个月没有付款" in words(auditor.get("/admin/taxes?month=2020-01"))

    today = clock.today(factories.ZONE)
    quarter = f"/admin/taxes/years/{today.year}/quarters/{(today.month + 2) // 3}/file"
    assert auditor.get(quarter).status_code == 403
    for url in (quarter, f"/admin/taxes/years/{today.year}/file"):
        text = finance.get(url).data.decode("utf-8-sig")
        _titles, one, two = csv.reader(io.StringIO(text))
        assert one[1:3] == ["李小岚", "居民身份证"]
        assert (
            one[3].strip()
            == tax_profiles.identity_of(
                tax_profiles.current(holder.id)  # type: ignore[arg-type]
            ).reveal()
        )
        assert one[5:] == ["1", "5000.00", "800.00"]
        assert (two[1], two[6], two[7]) == ("'=1+1", "10000.00", "1250.00")
    empty = finance.get("/admin/taxes/years/2019/quarters/1/file").data.decode("utf-8-sig")
    assert len(empty.splitlines()) == 1
    assert acts()[-3:] == ["tax.quarter", "tax.year", "tax.quarter"]


def test_who_pays_is_the_owners_to_say(app: Flask) -> None:
    owner = Visitor(app, people.make(Role.OWNER))
    form = {"payer_name": "上海硬架科技有限公司", "payer_code": paying_out.COMPANY_CODE.lower()}
    wrong = owner.post("/admin/settings/payer", form | {"payer_code": "91110108551385082A"})
    assert wrong.status_code == 422
    assert "91110108551385082A" in wrong.text
    more = {"is_platform": "on", "tax_gap_restarts": "off"}
    assert owner.post("/admin/settings/payer", form | more).status_code == 303
    kept = preferences.fresh()
    assert (kept.payer_name, kept.payer_code) == (form["payer_name"], paying_out.COMPANY_CODE)
    assert (kept.is_platform, kept.tax_gap_restarts) == (True, False)
