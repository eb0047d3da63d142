"""Her papers in the portal: tax details with proof, statements, invoices; nobody else's."""

import io
import re

import pypdf
import pytest
import sqlalchemy as sa
from flask import Flask

from app.core.audit import AuditEntry
from app.core.db import session, transaction
from app.domain.channels.models import Distributor
from app.domain.payouts import invoices, paying, statements, tax_profiles
from app.domain.payouts.models import Withdrawal
from app.domain.payouts.paper_models import TaxMode
from app.web import limits
from app.web.access import Who, rule_of
from tests import factories, paying_out, people
from tests.web.deeds import contents
from tests.web.visitors import Visitor, location, words

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

ID = "11010519491231002X"
PDF = b"%PDF-1.7 " + b"x" * 2_000_000


def paid_by_hand(holder: Distributor, gross: int) -> str:
    """Her statement's number, of a withdrawal that staff paid themselves."""
    withdrawal = paying_out.submitted(holder, gross, "manual")
    withdrawal_id = withdrawal.id
    transaction(lambda: paying.confirm_by_hand(withdrawal_id, "HAND0001"))
    factories.work()
    found = statements.latest_of(withdrawal_id)
    assert found is not None
    return found.number


def test_tax_details_are_entered_with_the_password_and_shown_masked(app: Flask) -> None:
    person = people.make()
    holder = paying_out.make_distributor(person)
    visitor, page = Visitor(app, person), "/portal/tax-profile"
    form = {"identity_kind": "resident_id", "name": "李晓岚", "identity": ID}

    for wrong in (
        {},
        {"current": "wrong"},
        {"current": people.PASSWORD, "identity": ID[:17] + "0"},
    ):
        answer = visitor.post(page, form | wrong)
        assert answer.status_code == 422
        assert 'value="李晓岚"' in answer.text
        assert people.PASSWORD not in answer.text
    assert location(visitor.post(page, form | {"current": people.PASSWORD})) == page

    shown = visitor.get(page)
    assert "110*************2X" in words(shown)
    assert ID not in shown.text
    abroad = {"identity_kind": "passport", "name": "Jane Doe", "identity": "E1234567"}
    proof = {"current": people.PASSWORD}
    assert "住满 183 天" in words(visitor.get(f"{page}?kind=passport"))
    visitor.post(page, abroad | proof | {"residence": "abroad"})
    session.rollback()
    profile = tax_profiles.current(holder.id)
    assert profile is not None
    assert profile.mode == TaxMode.NON_RESIDENT
    acts = session.scalars(sa.select(AuditEntry.action).order_by(AuditEntry.id)).all()
    assert acts.count("tax_profile.enter") == 3


def test_a_statement_is_read_saved_confirmed_and_disputed(app: Flask) -> None:
    person = people.make()
    holder = paying_out.make_distributor(person, payable=1_000_000)
    one, two = (paid_by_hand(holder, gross) for gross in (500_000, 400_000))
    visitor = Visitor(app, person)

    listed = words(visitor.get("/portal/statements"))
    assert "¥ 4,200.00" in listed.replace("¥4", "¥ 4")
    page = words(visitor.get(f"/portal/statements/{one}"))
    for text in ("人民币肆仟贰佰元整", "税是怎么算的", "国家税务总局公告2018年第61号", "待确认"):
        assert text in page
    saved = visitor.get(f"/portal/statements/{one}/pdf")
    assert saved.headers["Content-Disposition"] == f'attachment; filename="{one}.pdf"'
    text = pypdf.PdfReader(io.BytesIO(saved.data)).pages[0].extract_text()
    assert one in text
    assert f"http://localhost/verify/{one}" in text
    sheet = visitor.get(f"/portal/statements/{one}/xlsx")
    assert sheet.data.startswith(b"PK")

    visitor.post(f"/portal/statements/{one}/confirmation")
    assert "已确认" in words(visitor.get(f"/portal/statements/{one}"))
    visitor.post(f"/portal/statements/{one}/dispute", {"reason": "不对"})
    assert "不对" not in words(visitor.get(f"/portal/statements/{one}"))
    visitor.post(f"/portal/statements/{two}/dispute", {"reason": "少了一单 <b>"})
    assert "你的异议：少了一单 &lt;b&gt;" in words(visitor.get(f"/portal/statements/{two}"))
    issued = statements.find(one)
    assert issued.answer is not None
    assert issued.answer.confirmed_ip == "203.0.113.7"


def test_an_invoice_of_two_megabytes_is_taken_and_a_page_is_none(app: Flask) -> None:
    person = people.make()
    holder = paying_out.make_distributor(person, payable=500_000)
    visitor, page = Visitor(app, person), "/portal/invoices"
    assert "没有要上传的发票" in words(visitor.get(page))
    paying_out.enter_company(holder)
    number = paying_out.ask(holder, 500_000, paying_out.add_account(holder)).number

    def upload(content: bytes, **fields: str) -> tuple[int, str]:
        form = {"withdrawal": number, "number": "12345678"} | fields
        sent = visitor.post(
            page,
            form | {"file": (io.BytesIO(content), "../../invoice.html")},
            content_type="multipart/form-data",
        )
        return sent.status_code, words(sent)

    assert "发票抬头" in words(visitor.get(page))
    status, said = upload(b"<html><script>")
    assert (status, "PDF、JPEG 或 PNG" in said) == (422, True)
    assert upload(PDF, number="x")[0] == 422
    assert upload(PDF, withdrawal="NOBODYS")[0] == 404
    assert upload(bytes(6 * 1024 * 1024 + 1024))[0] == 413
    assert upload(PDF)[0] == 303
    assert "待核对" in words(visitor.get(page))
    (kept,) = invoices.list_of(holder.id)
    assert (kept.size, kept.media_type) == (len(PDF), "application/pdf")


def test_whoever_has_the_paper_verifies_it_and_a_guesser_is_stopped(app: Flask) -> None:
    holder = paying_out.make_distributor(payable=1_000_000)
    number = paid_by_hand(holder, 500_000)
    guest = Visitor(app)

    page = guest.get(f"/verify/{number.lower()}")

    issued = statements.find(number).statement
    assert page.headers["Cache-Control"] == "no-store"
    text = words(page)
    for shown in (number, "李**", "4,200.00", issued.sha256, "现在有效", "硬架小店"):
        assert shown in text
    for hidden in ("李小岚", "5,000.00", "800.00", "5678", "HAND0001", holder.uid, "110"):
        assert hidden not in text.replace(number, "").replace(issued.sha256, "")
    transaction(lambda: statements.correct(number, "付款方名称更正"))
    assert "已被更正，不再有效" in words(guest.get(f"/verify/{number}"))
    most = int(re.match(r"\d+", limits.LIMITS["verify"])[0])  # type: ignore[index]
    tries = [guest.get(f"/verify/JS26112700000{n}").status_code for n in range(most)]
    assert tries.count(404) == most - 2
    assert tries[-2:] == [429, 429]


def test_no_route_shows_or_changes_what_is_anothers(app: Flask) -> None:
    """Over every route of her papers that names something, and those that name nothing."""
    number = paid_by_hand(paying_out.make_distributor(payable=1_000_000), 500_000)
    person = people.make()
    paying_out.make_distributor(person, payable=500)
    stranger, buyer = Visitor(app, person), Visitor(app, people.make())
    before, tried = contents(), 0
    ours = ("portal.statements.", "portal.tax_profile.", "portal.invoices.")
    for route in app.url_map.iter_rules():
        if not route.endpoint.startswith(ours):
            continue
        rule = rule_of(app.view_functions[route.endpoint])
        assert rule is not None
        assert rule.who is Who.SIGNED_IN
        path = route.rule.replace("<number>", number)
        for visitor in (stranger, buyer) if route.arguments else (buyer,):
            form = {"current": people.PASSWORD, "reason": "这是我的", "identity": ID}
            is_page = "GET" in (route.methods or ())
            answer = visitor.get(path) if is_page else visitor.post(path, form)
            # Who is no distributor is led to the application.
            expected = 303 if visitor is buyer else 404
            assert answer.status_code == expected, (route.endpoint, answer.status_code)
            assert "4,200.00" not in answer.text
        tried += 1
    assert tried >= 10
    session.rollback()
    withdrawal = session.scalars(sa.select(Withdrawal)).one()
    sent = stranger.post(
        "/portal/invoices", {"withdrawal": withdrawal.number, "number": "12345678"}
    )
    assert sent.status_code == 404
    now = contents()
    assert {name for name in before if before[name] != now[name]} <= {"sessions", "throttles"}
