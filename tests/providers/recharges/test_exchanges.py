"""What the log may keep: no key, no signature, no account but its end, and never much."""

import json
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.crypto import Secret
from app.providers.recharges.exchanges import (
    LIMIT,
    Legible,
    Mask,
    exchange,
    last_four,
)
from app.providers.safe_http import Answer, Request

KEY, ACCOUNT = "s3cret/key+=", "张三@example.com"
LEGIBLE = Legible(
    values=frozenset({"number", "code"}), words=frozenset({"message"}), accounts=frozenset({"acc"})
)
MASK = Mask([Secret(KEY)], Secret(ACCOUNT))
REQUEST = Request("POST", "https://supplier.example/orders?key=s3cret", {}, b"")


def kept(said: object, fields: dict[str, str] | None = None, answer: Answer | None = None) -> str:
    made = exchange(
        "submit", REQUEST, fields or {}, answer or Answer(200, b"x"), said, LEGIBLE, MASK
    )
    return f"{made.request}\n{made.response}"


@pytest.mark.parametrize(
    ("account", "shown"),
    [("13800001234", "…1234"), ("12345", "…45"), ("ab", "…b"), ("a", "…"), ("", "…")],
)
def test_an_account_shows_its_end_and_at_most_half(account: str, shown: str) -> None:
    assert last_four(account) == shown


def test_only_what_is_understood_is_shown() -> None:
    text = kept(
        {
            "code": "0",
            "message": "已为13800001234充值，联系 a.b@example.com",
            "data": {"mobile": "13800001234", "ok": True, "cards": ["pass-word", "x", "y", "z"]},
            "13900001234": "1",
        },
        {"number": "P1", "acc": "13800001234", "password": "merchants-own", "sign": "f" * 32},
    )

    for hidden in ("13800001234", "13900001234", "a.b@", "pass-word", "merchants-own", "f" * 32):
        assert hidden not in text
    assert "key=s3cret" not in text
    assert "number=P1" in text
    assert '"code": "0"' in text
    assert "已为…1234充值" in text
    assert '"ok": true' in text


@pytest.mark.parametrize("hidden", [KEY, ACCOUNT])
def test_what_is_known_is_masked_however_it_is_written(hidden: str) -> None:
    writings = [
        hidden,
        quote(hidden, safe=""),
        urlencode({"message": hidden}),
        json.dumps({"message": hidden}),
        json.dumps(json.dumps({"message": hidden})),
    ]
    for writing in writings:
        as_words, as_page = (
            kept({"message": writing}),
            kept(None, answer=Answer(200, writing.encode())),
        )
        for text in (as_words, as_page):
            assert hidden not in text
            assert quote(hidden, safe="") not in text
            assert json.dumps(hidden)[1:-1] not in text


@given(st.recursive(st.text(), lambda inner: st.dictionaries(st.text(), inner) | st.lists(inner)))
def test_an_entry_is_short_printable_and_without_the_key(said: object) -> None:
    made = exchange("query", REQUEST, {"number": "\0" * 5000}, Answer(200), said, LEGIBLE, MASK)

    assert len(made.request) <= LIMIT
    assert len(made.response) <= LIMIT
    assert all(line.isprintable() for line in made.request.split("\n"))
    assert made.response.isprintable()
    assert KEY not in made.response


def test_why_there_was_no_answer_is_kept() -> None:
    made = exchange(
        "query",
        REQUEST,
        {},
        Answer(0, trouble="no answer in time", milliseconds=9),
        None,
        LEGIBLE,
        MASK,
    )

    assert (made.response, made.status, made.milliseconds) == ("no answer in time", 0, 9)


def test_a_mask_shows_nothing_of_what_it_hides() -> None:
    assert KEY not in repr(MASK)
    assert Mask([Secret("")]).known("abc") == "abc"
