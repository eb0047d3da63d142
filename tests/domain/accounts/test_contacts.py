"""One person's contact in one form, however it was typed."""

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st

from app.core.errors import Refusal
from app.domain.accounts.contacts import Contact, ContactKind

PHONE, EMAIL = ContactKind.PHONE, ContactKind.EMAIL


@pytest.mark.parametrize(
    ("typed", "kind", "value", "masked"),
    [
        ("13812345678", PHONE, "+8613812345678", "138****5678"),
        (" 138 1234-5678 ", PHONE, "+8613812345678", "138****5678"),
        ("+86 138 1234 5678", PHONE, "+8613812345678", "138****5678"),
        ("0086 13812345678", PHONE, "+8613812345678", "138****5678"),
        ("138\u200b12345678", PHONE, "+8613812345678", "138****5678"),
        ("\uff11\uff13\uff18\uff11\uff12\uff13\uff14\uff15\uff16\uff17\uff18", PHONE,
         "+8613812345678", "138****5678"),
        ("19212345678", PHONE, "+8619212345678", "192****5678"),
        ("+852 5123 4567", PHONE, "+85251234567", "+852 ****4567"),
        ("+1 (650) 253-0000", PHONE, "+16502530000", "+1 ****0000"),
        ("Zoe@QQ.com", EMAIL, "zoe@qq.com", "z***@qq.com"),
        ("\uff21@\uff42.com", EMAIL, "a@b.com", "a***@b.com"),
        ("a.b+c@mail.example.cn", EMAIL, "a.b+c@mail.example.cn", "a***@mail.example.cn"),
    ],
)  # fmt: skip
def test_it_is_read(typed: str, kind: ContactKind, value: str, masked: str) -> None:
    contact = Contact.parse(typed)
    assert (contact.kind, contact.value, contact.masked) == (kind, value, masked)
    assert Contact.parse(contact.value) == contact


@pytest.mark.parametrize(
    "typed",
    [
        "", "   ", "\u200b", "1381234567", "138123456789", "01012345678", "12345678901", "abc",
        "138123456ab", "1-800-FLOWERS", "+86 10 6552 9988", "+852 1", "@", "a@b", "a b@c.com",
        "a@b..com", "x@y.com,z@y.com", "<a@b.com>", "a@b.com\n.evil.com>", "é" * 300 + "@b.com",
        "＝cmd|' /C calc'!A0",
    ],
)  # fmt: skip
def test_what_is_no_contact_is_refused(typed: str) -> None:
    with pytest.raises(Refusal) as refused:
        Contact.parse(typed)
    assert refused.value.field == "contact"


@given(st.text(max_size=60))
def test_any_text_is_a_contact_or_refused(typed: str) -> None:
    try:
        contact = Contact.parse(typed)
    except Refusal:
        return
    assert Contact.parse(contact.value) == contact
    assert contact.masked != contact.value


def test_it_is_not_printed() -> None:
    assert "13812345678" not in repr(Contact.parse("13812345678"))


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_index_is_the_same_for_the_same_contact(app: Flask) -> None:
    assert Contact.parse("138 1234 5678").index == Contact.parse("+8613812345678").index
    assert Contact.parse("13812345678").index != Contact.parse("13812345679").index
