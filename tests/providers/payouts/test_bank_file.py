"""The file for the bank, and the bank's answer."""

import csv
import io

import pytest

from app.core.crypto import Secret
from app.core.errors import Refusal
from app.providers.payouts import bank_file
from app.providers.payouts.bank_file import TEMPLATES, ResultRow
from app.providers.payouts.interface import BANK_CARD, COMPANY, Payee, Transfer

PERSON = Payee(BANK_CARD, Secret("李小岚"), Secret("6225881234567891"), "招商银行")
FIRM = Payee(COMPANY, Secret("=HYPERLINK(1)"), Secret("31006666101"), "交通银行", " ＋支行")
TRANSFERS = [
    Transfer("W1", 123_456, "CNY", PERSON),
    Transfer("W2", 100, "CNY", FIRM),
]


@pytest.mark.parametrize("template", TEMPLATES)
def test_every_template_has_each_transfer_whole_and_harmless(template: str) -> None:
    content = bank_file.write(template, TRANSFERS).decode("utf-8-sig")

    titles, *rows = list(csv.reader(io.StringIO(content, newline="")))

    assert len(titles) == len(set(titles)) == len(rows[0])
    for row, transfer, amount in zip(rows, TRANSFERS, ("1234.56", "1.00"), strict=True):
        assert {transfer.number, amount, transfer.payee.account.reveal()} <= set(row)
    for row in rows:
        assert not [text for text in row if text.lstrip().startswith(tuple("=+-@＝＋－＠"))]
    assert "'=HYPERLINK(1)" in rows[1]
    assert "\r\n" in content


def test_the_banks_answer_is_read_by_its_titles() -> None:
    lines = ("业务参考号,交易状态,交易金额,流水号,失败原因", "w1,成功,1234.56,R1,", ",,")
    content = "\r\n".join([*lines, "W2,退票,,,户名不符", ""])
    wanted = [
        ResultRow(2, "W1", True, 123_456, "R1"),
        ResultRow(4, "W2", False, None, "", "户名不符"),
    ]
    for encoding in ("utf-8", "utf-8-sig", "gb18030"):
        assert bank_file.read_results(content.encode(encoding)) == wanted


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xff\xff",
        b"number\nW1\n",
        b"number,state\n",
        b"number,state\nW1,maybe\n",
        b"number,state\nW1,paid\nW1,failed\n",
        b"number,state,amount\nW1,paid,1.234\n",
        b"number,state\n" + b"W1,paid\n" * 300_000,
    ],
)
def test_an_answer_that_makes_no_sense_is_refused_whole(content: bytes) -> None:
    with pytest.raises(Refusal):
        bank_file.read_results(content)
