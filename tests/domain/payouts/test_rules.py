"""What an account's number must look like, what is shown of it, and who has to look."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core import clock
from app.core.errors import Refusal
from app.domain.payouts import rules
from app.domain.payouts.models import AccountKind
from app.domain.payouts.rules import AccountFields, Standing

CARD, ALIPAY, COMPANY = AccountKind.BANK_CARD, AccountKind.ALIPAY, AccountKind.COMPANY


def fault_of(kind: AccountKind, account: str, **other: str) -> str:
    """The field that is wrong; empty when all is well."""
    given = {"holder": "李小岚", "bank": "招商银行", "branch": "静安支行"} | other
    try:
        rules.read(AccountFields(kind, account=account, **given))
    except Refusal as refusal:
        return refusal.field
    return ""


# Luhn's own example and the schemes' published test cards.
@pytest.mark.parametrize("digits", ["79927398713", "4111111111111111", "5555555555554444"])
def test_luhn(digits: str) -> None:
    others = [digits[:-1] + last for last in "0123456789" if last != digits[-1]]
    assert rules.is_luhn(digits)
    assert not any(rules.is_luhn(other) for other in others)


@given(st.text("0123456789", min_size=12, max_size=18))
def test_every_single_slip_in_a_card_is_found(digits: str) -> None:
    card = next(digits + last for last in "0123456789" if rules.is_luhn(digits + last))
    assert fault_of(CARD, f" {card[:4]} {card[4:8]}-{card[8:]} ") == ""
    for place, right in enumerate(card):
        wrong = str((int(right) + 1) % 10)
        assert fault_of(CARD, card[:place] + wrong + card[place + 1 :]) == "account"


def test_each_kind_has_its_numbers() -> None:
    wanted = {
        (ALIPAY, "13912345678"): "",
        (ALIPAY, "+86 139 1234 5678"): "",
        (ALIPAY, "Lan@Example.com"): "",
        (ALIPAY, "+852 6123 4567"): "account",
        (ALIPAY, "6225881234567890"): "account",
        (ALIPAY, ""): "account",
        (CARD, "４１１１１１１１１１１１１１１１"): "",
        (CARD, "4111 1111 1111"): "account",
        (COMPANY, "3100-6666 1018"): "",
        (COMPANY, "1234567"): "account",
        (COMPANY, "12345678A"): "account",
    }
    assert {case: fault_of(*case) for case in wanted} == wanted
    assert fault_of(CARD, "4111111111111111", bank="") == "bank"
    assert fault_of(COMPANY, "310066661018", branch=" ") == "branch"
    assert fault_of(ALIPAY, "13912345678", holder="李", bank="", branch="") == "holder"
    read = rules.read(AccountFields(ALIPAY, " 李小岚 ", "+86 13912345678", "x", "y"))
    assert (read.holder, read.account, read.bank, read.branch) == ("李小岚", "13912345678", "", "")
    assert "李小岚" not in repr(read)
    assert "139" not in repr(read)


def test_what_is_shown_of_an_account() -> None:
    assert rules.mask_account(CARD, "6225881234567891") == "****7891"
    assert rules.mask_account(ALIPAY, "13912345678") == "139****5678"
    assert rules.mask_account(ALIPAY, "lan@example.com") == "l***@example.com"
    assert rules.mask_holder("李小岚") == "李**"
    assert rules.mask_holder("上海小岚贸易有限公司") == "上海***公司"


def test_who_has_to_look() -> None:
    old = timedelta(hours=72)
    quiet = Standing(500_000, 500_000, is_first=False, account_age=old)
    assert rules.checks(quiet) == []
    new = old - timedelta(seconds=1)
    much = Standing(500_001, 500_000, is_first=True, account_age=new, is_doubtful=True)
    assert rules.checks(much) == ["amount", "first", "account", "risk"]
    assert set(rules.checks(much)) == set(rules.CHECKS)


def test_when_a_number_may_be_sent_again() -> None:
    """Longer than any call takes: none can be on its way any more."""
    now = clock.now()
    assert rules.may_send_again(None, now)
    assert not rules.may_send_again(now - rules.SEND_AGAIN_AFTER, now)
    assert rules.may_send_again(now - rules.SEND_AGAIN_AFTER - timedelta(seconds=1), now)
    assert [rules.next_query(n).total_seconds() for n in (0, 3, 4, 99)] == [5, 300, 900, 900]
