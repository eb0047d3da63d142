"""A channel's statement as a file: what is read of it, and what is said when it cannot be."""

import pytest

from app.core.errors import Refusal
from app.domain.orders import statement_files
from app.domain.orders.statement_files import TheirLine
from app.domain.orders.statement_models import LineKind


@pytest.mark.parametrize(
    "content",
    [
        b"kind,number,amount,fee,state\nrefund,A1,-49.25,0.30,success\n",
        "﻿类型,商户订单号,金额,手续费,状态\r\n退款,A1,49.25,-0.3,退款成功\r\n".encode(),
        "单号,交易金额,服务费\nA1,-49.25,0.30\n".encode("gb18030"),
    ],
)
def test_a_file_is_read_however_it_is_written(content: bytes) -> None:
    [line] = statement_files.read(content)
    assert line == TheirLine(LineKind.REFUND, "A1", 4925, line.state, 30)
    assert line.is_done


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"a,b\n1,2\n", "列名"),
        (b"", "列名"),
        (b"number,amount\nA1,dear\n", "第 2 行的金额"),
        (b"number,amount\nA1\n", "第 2 行的金额"),
        (b"number,amount\n,1\n", "第 2 行没有单号"),
        (b"kind,number,amount\ngift,A1,1\n", "第 2 行的类型"),
        (b"\xff\xfe\xfa\x81", "编码"),
    ],
)
def test_what_cannot_be_read_says_where(content: bytes, words: str) -> None:
    with pytest.raises(Refusal) as refused:
        statement_files.read(content)
    assert words in str(refused.value)
