"""Codes come in through the console: file → preview → start → progress → done, and out again."""

import csv
import io
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from werkzeug.test import TestResponse

from app.core.db import session, transaction
from app.domain.accounts.models import Role
from app.domain.catalog.models import Product
from app.domain.vault import stock
from app.domain.vault.models import Batch, BatchState, Import, ImportState, RefusedLine
from tests import factories, people
from tests.domain.vault.imports import today
from tests.web.visitors import Visitor, location, words

CODES = "AAAA-BBBB-0001\nAAAA-BBBB-0002\nAAAA-BBBB-0003\n"
BATCH = {
    "name": "七月到货",
    "supplier": "甲公司",
    "unit_cost": "12.50",
    "expires_on": "",
    "note": "",
}
COLUMNS = {"code_column": "0", "password_column": ""}


@pytest.fixture
def operator(app: Flask) -> Visitor:
    return Visitor(app, people.make(Role.OPERATOR))


@pytest.fixture
def product(app: Flask) -> Product:
    return factories.make_product(codes=0)


def send(visitor: Visitor, product: Product, content: str = CODES, **form: Any) -> TestResponse:
    file = (io.BytesIO(content.encode()), form.pop("name", "codes.txt"))
    return visitor.post("/admin/imports", {"product": product.id, "file": file} | form)


def only_import() -> Import:
    session.rollback()
    session.expire_all()
    return session.scalars(sa.select(Import)).one()


def left(product: Product) -> int:
    session.rollback()
    return stock.stock_of([product.id], today())[product.id]


def test_from_the_file_to_the_shelf(operator: Visitor, product: Product) -> None:
    form = operator.get(f"/admin/imports/new?product={product.id}").text
    assert 'data-testid="import-file"' in form
    assert 'data-testid="import-submit"' in form

    url = location(send(operator, product))
    preview = operator.get(url)
    assert 'data-testid="import-submit"' in preview.text
    assert "AAAA-BBBB-0001" not in preview.text
    assert left(product) == 0

    assert location(operator.post(f"{url}/start", BATCH | COLUMNS)) == url
    running = operator.get(url).text
    assert 'data-testid="import-progress"' in running
    assert f'hx-get="{url}"' in running
    assert 'http-equiv="refresh"' in running

    factories.work()
    done = operator.get(url)
    assert "已经上架，可以出售" in words(done)
    assert "hx-trigger" not in done.text
    assert left(product) == 3
    batch = session.get_one(Batch, only_import().batch_id)
    assert (batch.name, batch.supplier, batch.unit_cost) == ("七月到货", "甲公司", 1250)


def test_polling_gets_the_fragment_alone(operator: Visitor, product: Product) -> None:
    url = location(send(operator, product))
    operator.post(f"{url}/start", BATCH | COLUMNS)

    fragment = operator.get(url, headers={"HX-Request": "true"})

    assert "<html" not in fragment.text
    assert fragment.text.strip().startswith("<div")
    assert "HX-Request" in fragment.headers["Vary"]


def test_what_is_pasted_is_a_file_too(operator: Visitor, product: Product) -> None:
    pasted = {"product": product.id, "pasted": CODES}

    url = location(operator.post("/admin/imports", pasted))
    operator.post(f"{url}/start", BATCH | COLUMNS)
    factories.work()

    assert left(product) == 3
    assert "粘贴的内容" in words(operator.get(url))


@pytest.mark.parametrize(
    ("_case", "form", "sentence"),
    [
        ("nothing", {}, "请选择文件，或者粘贴卡密"),
        ("an empty file", {"file": (io.BytesIO(b""), "a.txt")}, "文件是空的"),
        ("a broken workbook", {"file": (io.BytesIO(b"PK\x03\x04junk"), "a.xlsx")}, "已损坏"),
        ("an unknown encoding", {"file": (io.BytesIO(b"x"), "a.txt"), "encoding": "x"}, "编码"),
        ("two at once", {"file": (io.BytesIO(b"x"), "a.txt"), "pasted": "x"}, "只能选一种"),
    ],
)
def test_what_cannot_be_read_is_told_beside_its_field(
    operator: Visitor, product: Product, _case: str, form: dict[str, Any], sentence: str
) -> None:
    copied = {
        name: (io.BytesIO(value[0].getvalue()), value[1]) if isinstance(value, tuple) else value
        for name, value in form.items()
    }

    response = operator.post("/admin/imports", {"product": product.id} | copied)

    assert response.status_code == 422
    assert sentence in words(response)
    assert 'aria-invalid="true"' in response.text


@pytest.mark.parametrize("chosen", ["", "999", "abc"])
def test_a_product_must_be_chosen(operator: Visitor, product: Product, chosen: str) -> None:
    response = operator.post("/admin/imports", {"product": chosen, "pasted": CODES})

    assert response.status_code == 422
    assert "请选择商品" in words(response) or "请填写整数" in words(response)


def test_all_faults_of_the_batch_are_told_at_once_and_input_is_kept(
    operator: Visitor, product: Product
) -> None:
    url = location(send(operator, product))

    response = operator.post(
        f"{url}/start",
        BATCH
        | COLUMNS
        | {"name": "", "unit_cost": "十二", "expires_on": "2001-01-01", "note": "留着"},
    )

    assert response.status_code == 422
    for sentence in ("批次名称要有", "请填写金额", "到期日已经过了"):
        assert sentence in words(response)
    assert "留着" in response.text
    assert 'value="十二"' in response.text
    assert only_import().state == ImportState.UPLOADED


def test_other_columns_are_previewed_and_what_was_typed_is_kept(
    operator: Visitor, product: Product
) -> None:
    url = location(
        send(operator, product, "x,CODE-AAAA,PASS-1\ny,CODE-BBBB,PASS-2\n", name="a.csv")
    )
    typed = BATCH | {"code_column": "1", "password_column": "2", "note": "留着"}

    response = operator.post(f"{url}/columns", typed)
    assert response.status_code == 200
    assert "留着" in response.text

    wrong = operator.post(f"{url}/columns", typed | {"password_column": "1"})
    assert wrong.status_code == 422
    assert "不能是同一列" in words(wrong)


def test_a_second_tap_on_start_is_told_politely(operator: Visitor, product: Product) -> None:
    url = location(send(operator, product))
    operator.post(f"{url}/start", BATCH | COLUMNS)

    assert operator.post(f"{url}/start", BATCH | COLUMNS).status_code == 409
    factories.work()
    assert left(product) == 3


def test_reasons_are_shown_and_downloaded_without_contents(
    operator: Visitor, product: Product
) -> None:
    url = location(send(operator, product, CODES + "AAAABBBB0001\nBAD\x01SECRET\n"))
    operator.post(f"{url}/start", BATCH | COLUMNS)
    factories.work()
    assert "与第 1 行重复" in words(operator.get(url))

    file = operator.get(f"{url}/refused")

    assert file.mimetype == "text/csv"
    rows = list(csv.reader(io.StringIO(file.text.removeprefix("\ufeff"))))
    assert [row[0] for row in rows] == ["行号", "4", "5"]
    assert "SECRET" not in file.text


def test_a_batchs_name_computes_nothing_in_a_spreadsheet(
    operator: Visitor, product: Product
) -> None:
    url = location(send(operator, product))
    operator.post(f"{url}/start", BATCH | COLUMNS)
    factories.work()
    import_id = only_import().id

    planted = RefusedLine(import_id=import_id, line=9, message="=1+%(x)s", params={"x": "A0"})
    transaction(lambda: session.add(planted))

    rows = list(csv.reader(io.StringIO(operator.get(f"{url}/refused").text)))
    assert rows[-1][1].startswith("'=")


def test_undoing_takes_everything_out(operator: Visitor, product: Product) -> None:
    url = location(send(operator, product))
    operator.post(f"{url}/start", BATCH | COLUMNS)
    factories.work()

    assert "请写明原因" in words(
        operator.get(location(operator.post(f"{url}/undoing", {"reason": ""})))
    )
    operator.post(f"{url}/undoing", {"reason": "供应商发错了"})
    factories.work()

    assert left(product) == 0
    assert only_import().state == ImportState.UNDONE
    assert "已经撤销" in words(operator.get(url))


def test_a_file_is_thrown_away_before_it_began(operator: Visitor, product: Product) -> None:
    url = location(send(operator, product))

    assert "/admin/imports/new" in location(operator.post(f"{url}/deletion"))

    assert only_import().state == ImportState.UNDONE


def test_our_own_codes_are_made_the_same_way(operator: Visitor, product: Product) -> None:
    assert operator.get(f"/admin/generations/new?product={product.id}").status_code == 200

    url = location(
        operator.post("/admin/generations", BATCH | {"product": product.id, "count": "20"})
    )
    factories.work()

    assert "自己生成" in words(operator.get(url))
    assert left(product) == 20
    assert session.scalars(sa.select(Batch.state)).one() == BatchState.OPEN


@pytest.mark.parametrize("count", ["", "0", "1000001", "many"])
def test_a_number_without_sense_is_told(operator: Visitor, product: Product, count: str) -> None:
    response = operator.post("/admin/generations", BATCH | {"product": product.id, "count": count})

    assert response.status_code == 422
    assert 'aria-invalid="true"' in response.text


def test_the_list_finds_an_import_by_file_product_and_batch(
    operator: Visitor, product: Product
) -> None:
    url = location(send(operator, product, name="august.txt"))
    operator.post(f"{url}/start", BATCH | COLUMNS)

    for query in ("august", "测试卡", "七月"):
        assert "august.txt" in words(operator.get(f"/admin/imports?q={query}"))
    assert "august.txt" not in words(operator.get("/admin/imports?q=nothing"))
    assert "august.txt" not in words(operator.get("/admin/imports?state=failed"))
    factories.work()


@pytest.mark.parametrize("role", [Role.SUPPORT, Role.AUDITOR])
def test_who_may_look_may_not_bring(app: Flask, product: Product, role: Role) -> None:
    visitor = Visitor(app, people.make(role))

    assert visitor.get("/admin/imports").status_code == 200
    assert visitor.get("/admin/imports/new").status_code == 403
    assert send(visitor, product).status_code == 403


def test_finance_has_no_business_here(app: Flask) -> None:
    assert Visitor(app, people.make(Role.FINANCE)).get("/admin/imports").status_code == 403
