"""Files that are no codes, no pictures, or more than they seem."""

import io
import re
import zipfile
import zlib
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask import Flask

from app.core.db import session
from app.domain.catalog.models import Picture, Product
from app.domain.vault.models import Batch, Code, Import, ImportChunk, ImportState
from tests import factories, people
from tests.domain.vault import imports
from tests.web.deeds import PRODUCT, count, upload
from tests.web.house import Reader, png
from tests.web.visitors import Visitor, location, words

pytestmark = pytest.mark.usefixtures("audited")
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


# Files


@pytest.fixture
def product(app: Flask) -> Product:
    return factories.make_product(codes=0)


def workbook(sheet: str, **parts: str) -> bytes:
    """An XLSX made by hand; `parts` in the place of its own."""
    kind = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    relation = '<Relationships><Relationship Id="r" Type="{}/{}" Target="{}"/></Relationships>'
    files = {
        "_rels/.rels": relation.format(kind, "officeDocument", "xl/workbook.xml"),
        "xl/_rels/workbook.xml.rels": relation.format(kind, "worksheet", "sheet.xml"),
        "xl/workbook.xml": f'<w xmlns:r="{kind}"><sheet name="a" r:id="r"/></w>',
        "xl/sheet.xml": sheet,
    }
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in (files | parts).items():
            archive.writestr(name, text)
    return out.getvalue()


SHEET = '<s><row r="1"><c r="A1" t="str"><v>{}</v></c></row></s>'
GOOD_SHEET = SHEET.format("AAAA-BBBB-0001")
READS_A_FILE = '<!DOCTYPE s [<!ENTITY e SYSTEM "file:///etc/passwd">]>' + SHEET.format("&e;")
LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
EXPANDS = f'<!DOCTYPE s [<!ENTITY l0 "lol">{LAUGHS}]>' + SHEET.format("&l9;")

NO_CODES = {
    "nothing": (b"", "codes.txt"),
    "a mark and nothing": (b"\xef\xbb\xbf", "codes.txt"),
    "blank lines": (b"\r\n \r\n\t\n", "codes.txt"),
    "NUL bytes": (b"\0" * 5000, "codes.txt"),
    "a picture": (png(), "codes.csv"),
    "a program": (b"\x7fELF" + bytes(range(256)) * 20, "codes.txt"),
    "an old workbook": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 512, "codes.xls"),
    "a workbook that is text": (b"AAAA-BBBB-0001\n", "codes.xlsx"),
    "a workbook cut off": (workbook(GOOD_SHEET)[:-60], "codes.xlsx"),
    "an archive of something else": (
        workbook(GOOD_SHEET)[:0] + b"PK\x05\x06" + b"\0" * 18,
        "a.xlsx",
    ),
    "a bomb": (workbook(SHEET.format("0" * 30_000_000)), "codes.xlsx"),
    "a file that reads files": (workbook(READS_A_FILE), "codes.xlsx"),
    "a file that expands without end": (workbook(EXPANDS), "codes.xlsx"),
    "a workbook whose sheet is elsewhere": (
        workbook(GOOD_SHEET).replace(b"sheet.xml", b"../../etc"),
        "codes.xlsx",
    ),
}


@on_sqlite
def test_a_file_without_codes_is_refused_in_words(
    owner: Visitor, product: Product, tmp_path: Path
) -> None:
    files = set(tmp_path.rglob("*"))
    for case, (content, name) in NO_CODES.items():
        response = upload(owner, product, content, name)

        assert response.status_code == 422, case
        error = re.search(r'class="field__error".*?[\u4e00-\u9fff]{4}', response.text, re.DOTALL)
        assert error, case
        assert "root:" not in response.text, case
        assert set(tmp_path.rglob("*")) == files, case
        assert_nothing_waits()


def assert_nothing_waits() -> None:
    session.rollback()
    assert count(ImportChunk) == count(Batch) == count(Code) == 0
    states = set(session.scalars(sa.select(Import.state)))
    assert states <= {ImportState.UNDONE}


TEXT = "卡号,密码\r\nAAAA-BBBB-0001,密码一\r\nAAAA-BBBB-0002,密码二\r\n"


@on_sqlite
@pytest.mark.parametrize(
    ("encoding", "mark"),
    [
        ("utf-8", b""),
        ("utf-8", b"\xef\xbb\xbf"),
        ("gbk", b""),
        ("gb18030", b"\x84\x31\x95\x33"),
        ("utf-16-le", b"\xff\xfe"),
        ("utf-16-be", b"\xfe\xff"),
        ("utf-16-le", b""),
        ("utf-16-be", b""),
    ],
)
def test_a_file_in_any_encoding_gives_the_same_codes(
    owner: Visitor, product: Product, encoding: str, mark: bytes
) -> None:
    url = location(upload(owner, product, mark + TEXT.encode(encoding), "codes.csv"))
    form = {"name": "一批", "code_column": "0", "password_column": "1", "has_header": "1"}
    location(owner.post(f"{url}/start", form))
    factories.work()
    import_ = session.scalars(sa.select(Import)).one()
    assert imports.texts(import_) == ["AAAA-BBBB-0001\x1f密码一", "AAAA-BBBB-0002\x1f密码二"]


@on_sqlite
@pytest.mark.parametrize(
    "content",
    [b"A" * 10_000_000, b"AAAA-BBBB\0CCCC\n" * 9, b"\xff\xff\xff\xff\n" * 3 + b"\x81\n"],
    ids=["a line of 10 MB", "codes with a NUL", "bytes of no encoding"],
)
def test_what_is_no_code_does_not_become_one(
    owner: Visitor, product: Product, content: bytes
) -> None:
    """Refused as a file, or taken as one of which every line is refused."""
    response = upload(owner, product, content, "codes.txt")
    if response.status_code == 303:
        url = location(response)
        assert len(owner.get(url).data) < 100_000
        location(owner.post(f"{url}/start", {"name": "一批", "code_column": "0"}))
        factories.work()
        assert "AAAA" not in owner.get(f"{url}/refused").text
    else:
        assert response.status_code == 422
    assert count(Code) == count(ImportChunk) == 0


@on_sqlite
@pytest.mark.parametrize(
    "name",
    ["../../../etc/passwd", "C:\\a\\b.txt", "a\x07\u202etxt.exe", "<b>.txt", "x" * 999],
)
def test_a_files_name_is_a_name_and_nothing_else(
    owner: Visitor, product: Product, name: str
) -> None:
    url = location(upload(owner, product, b"AAAA-BBBB-0001\n", name))
    kept = session.scalars(sa.select(Import.file_name)).one()
    assert not set(kept) & set("/\\\r\n") and len(kept) <= 100
    assert Reader.faults_of(owner.get(url).text) == []


PICTURES = {
    "SVG": b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"><rect/></svg>',
    "a page": b"<!doctype html><script>alert(1)</script>",
    "GIF": b"GIF89a" + b"\1\0\1\0\0\0\0;",
    "a picture cut off": png()[:40],
    "a mark of a picture": b"\x89PNG\r\n\x1a\n" + b"\0" * 99,
    "more pixels than there is memory": b"".join(
        [
            b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\xea\x60\0\0\xea\x60\x08\x02\0\0\0",
            zlib.crc32(b"IHDR\0\0\xea\x60\0\0\xea\x60\x08\x02\0\0\0").to_bytes(4, "big"),
            png()[33:],
        ]
    ),
    "more bytes than a picture has": png() + b"\0" * (10 * 1024 * 1024),
}


@on_sqlite
def test_what_is_no_picture_is_refused_in_words(owner: Visitor) -> None:
    for case, content in PICTURES.items():
        picture = (io.BytesIO(content), "picture.png")
        response = owner.post("/admin/products", PRODUCT | {"picture": picture})
        assert response.status_code == 422, case
        assert "图片" in words(response), case
        assert count(Product) == count(Picture) == 0, case


@on_sqlite
def test_of_a_picture_that_is_something_else_too_only_the_picture_is_served(
    owner: Visitor, guest: Visitor
) -> None:
    """Drawn anew, and called what it is: the page or the archive behind it is gone."""
    both = png() + b"<script>alert(1)</script>PK\x03\x04"
    location(owner.post("/admin/products", PRODUCT | {"picture": (io.BytesIO(both), "a.html")}))
    session.rollback()
    digest = session.scalars(sa.select(Picture.digest)).one()
    for path in (f"/pictures/{digest}", f"/pictures/{digest}/small"):
        served = guest.get(path)
        assert (served.mimetype, served.headers["X-Content-Type-Options"]) == (
            "image/webp",
            "nosniff",
        )
        assert b"script" not in served.data


@on_sqlite
def test_nobody_but_staff_has_a_large_file_read(app: Flask) -> None:
    """It is refused for its size before it is looked at."""
    for visitor in (Visitor(app), Visitor(app, people.make())):
        big = io.BytesIO(b"x" * 3_000_000)
        form = {"file": (big, "a.txt"), "csrf_token": visitor.token()}
        response = visitor._open("POST", "/lookup", data=form)
        assert response.status_code == 413
