"""What a merchant's file is like is guessed from its beginning; a wrong guess can be corrected."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.errors import Refusal
from app.domain.vault.formats import Format, Kind, cells, detect, encoding_of, with_layout


def layout(text: str) -> tuple[str, bool, int, int, int | None]:
    known = detect(text.encode(), "codes.txt")
    return (
        known.delimiter,
        known.has_header,
        known.column_count,
        known.code_column,
        known.password_column,
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ABCD-EFGH-0001\nABCD-EFGH-0002\n", ("", False, 1, 0, None)),
        ("ABCD EFGH 0001\nABCD EFGH 0002\n", ("", False, 1, 0, None)),
        ("ABCD EFGH\nABCE EFGI\n", ("", False, 1, 0, None)),
        ("https://shop.example/r?a=1&b=2\n", ("", False, 1, 0, None)),
        ("卡密\nABCD\n", ("", True, 1, 0, None)),
        ("Card Number\nABCD\n", ("", True, 1, 0, None)),
        ("ABCD,1234\nEFGH,5678\n", (",", False, 2, 0, None)),
        ('"ABCD"\n"EF""GH"\n', (",", False, 1, 0, None)),
        ("ABCD\t1234\nEFGH\t5678\n", ("\t", False, 2, 0, None)),
        ("ABCD;1,5\nEFGH;5\nIJKL;5\nMNOP;5", (";", False, 2, 0, None)),
        ("ABCD|1234", ("|", False, 2, 0, None)),
        ("user1----pass-1\nuser2----pass,2\n", ("----", False, 2, 0, 1)),
        ("a----b----c\nd----e----f", ("----", False, 3, 0, None)),
        ("ABCDEFGH 1234\nABCDEFGI  5678\n", (" ", False, 2, 0, None)),
        ("卡号,密码\nA,1\n", (",", True, 2, 0, 1)),
        ("密码,卡号\n1,A\n", (",", True, 2, 1, 0)),
        ("\ufeff 卡 号 ,卡密\nA,1\n", (",", True, 2, 0, 1)),
        ("序号,卡密,备注\n1,A,x\n", (",", True, 3, 1, None)),
        ("Serial No.,Code (16 digits),PIN\n1,A,9\n", (",", True, 3, 1, 2)),
        ("serial|pin\n1|9\n", ("|", True, 2, 0, 1)),
        ("面值,密码\n50,A\n", (",", True, 2, 1, None)),
        ("密码\nA\n", ("", True, 1, 0, None)),
        ("EMAIL,PASSWORD\na@b,1\n", (",", True, 2, 0, 1)),
        ("商品,面值\nx,50\n", (",", True, 2, 0, None)),
        ("序号,口令红包\n1,A\n", (",", True, 2, 1, None)),
        ("卡号,密码,备注\nA,1\nB,2,x,y\n", (",", True, 3, 0, 1)),
        ("\r\n \r\n卡号,密码\r\nA,1\r\n", (",", True, 2, 0, 1)),
        ("kaart,geheim,pin,nota\rA,1,2,3\r", (",", True, 4, 2, None)),
    ],
)
def test_columns_are_guessed(text: str, expected: tuple[str, bool, int, int, int | None]) -> None:
    assert layout(text) == expected


def test_a_few_odd_lines_do_not_change_the_guess() -> None:
    lines = [f"CODE{number},{number}" for number in range(20)]
    lines[7] = "torn"
    lines[9] = "a,b,c,d"

    assert layout("\n".join(lines))[:3] == (",", False, 2)


def test_a_line_that_the_head_cuts_off_is_not_looked_at() -> None:
    assert detect(b"A,1\nB,2\nC,3,4,5,6", "").column_count == 2
    assert detect(b"A,1,2", "").column_count == 3


def test_the_layout_follows_a_delimiter_that_was_chosen() -> None:
    text = "卡号|密钥,备注\nA|1,x\n".encode()
    known = detect(text, "")

    chosen = with_layout(known, text, "|")

    assert (known.delimiter, known.code_column, known.password_column) == (",", 0, None)
    assert (chosen.delimiter, chosen.code_column, chosen.password_column) == ("|", 0, None)
    assert with_layout(known, text, "") == replace(
        known, delimiter="", has_header=False, column_count=1, password_column=None
    )


def test_a_text_without_lines_has_one_column() -> None:
    assert layout(" \n\n") == ("", False, 1, 0, None)
    assert with_layout(Format(), b"") == Format()


@pytest.mark.parametrize(
    ("head", "encoding"),
    [
        (b"ABCD\n", "ascii"),
        ("卡密\n".encode(), "utf-8"),
        ("卡密\n".encode("utf-8-sig"), "utf-8-sig"),
        ("卡号,密码\n".encode("gbk"), "gb18030"),
        ("𠮷\n".encode("gb18030"), "gb18030"),
        ("ABCD\n".encode("utf-16"), "utf-16-le"),
        ("\ufeff密\n".encode("utf-16-be"), "utf-16-be"),
        ("卡号\nABCD1234\n".encode("utf-16-le"), "utf-16-le"),
        ("卡号\nABCD1234\n".encode("utf-16-be"), "utf-16-be"),
        ("卡密".encode()[:4], "utf-8"),
        ("一张卡".encode("gbk")[:5], "gb18030"),
        (b"ABCD\0EFGH\n" + b"ABCDEFGH\n" * 9, "ascii"),
    ],
)
def test_the_encoding_is_guessed(head: bytes, encoding: str) -> None:
    assert encoding_of(head) == encoding


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030"])
def test_broken_lines_do_not_change_the_encoding(encoding: str) -> None:
    lines = [f"第{number}张卡".encode(encoding) for number in range(10)]
    lines[3] = b"\xff\xff\xff"
    lines[5] = "乱码".encode("gb18030" if encoding == "utf-8" else "utf-8")

    assert encoding_of(b"\r\n".join(lines)) == encoding


@given(st.text(st.characters(min_codepoint=0x4E00, max_codepoint=0x9FFF), min_size=1, max_size=40))
def test_text_in_utf_8_is_never_taken_for_another_encoding(text: str) -> None:
    assert encoding_of(text.encode()) == "utf-8"


@pytest.mark.parametrize(
    ("head", "name", "message"),
    [
        (b"", "codes.txt", "空的"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "codes.xls", "旧版"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "codes.xlsx", "旧版"),
        (b"card,number\n", "codes.XLSX", "损坏"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(64), "codes.csv", "不是文本"),
        (bytes(range(256)) * 4, "codes.txt", "不是文本"),
    ],
)
def test_what_is_no_list_of_codes_is_refused(head: bytes, name: str, message: str) -> None:
    with pytest.raises(Refusal, match=message) as raised:
        detect(head, name)
    assert raised.value.field == "file"


def test_a_workbook_is_known_by_its_content() -> None:
    assert detect(b"PK\x03\x04rest", "codes.csv") == Format(Kind.XLSX, delimiter="\t")


@given(
    st.builds(
        Format,
        kind=st.sampled_from(Kind),
        encoding=st.sampled_from(["utf-8", "gb18030"]),
        delimiter=st.sampled_from(["", "\t", "----"]),
        has_header=st.booleans(),
        column_count=st.integers(1, 9),
        code_column=st.integers(0, 8),
        password_column=st.none() | st.integers(0, 8),
    )
)
def test_a_format_survives_json(known: Format) -> None:
    again = Format.from_json(json.loads(json.dumps(known.as_json())))

    assert again == known
    assert isinstance(again.kind, Kind)


@given(
    st.lists(st.text(st.sampled_from('ab",| ;'), max_size=6), min_size=1, max_size=4),
    st.sampled_from([",", ";", "|", "\t"]),
)
def test_fields_written_by_rfc_4180_are_read_again(fields: list[str], delimiter: str) -> None:
    line = delimiter.join('"' + field.replace('"', '""') + '"' for field in fields)

    assert cells(line, delimiter) == [field.strip() for field in fields]
