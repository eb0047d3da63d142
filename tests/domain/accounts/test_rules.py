"""Permissions, passwords and patience."""

from datetime import UTC, datetime, timedelta

import pytest

from app.core.errors import Refusal
from app.domain.accounts import rules
from app.domain.accounts.models import Role


def test_every_permission_has_its_words_and_somebody_who_has_it() -> None:
    assert set(rules.PERMISSION_WORDS) == set(rules.PERMISSIONS)
    assert all(Role.OWNER in roles or "view" in name for name, roles in rules.PERMISSIONS.items())
    assert set(rules.ROLE_WORDS) == set(Role)


def test_a_buyer_may_nothing_and_an_owner_everything() -> None:
    for permission in rules.PERMISSIONS:
        assert not rules.may(None, permission)
        assert rules.may(Role.OWNER, permission)


@pytest.mark.parametrize("role", [Role.AUDITOR, Role.SUPPORT, Role.OPERATOR])
def test_money_moves_by_owner_and_finance_alone(role: Role) -> None:
    assert not rules.may(role, "orders.refund")
    assert not rules.may(role, "orders.confirm")


def test_an_auditor_changes_nothing() -> None:
    changing = {name for name in rules.PERMISSIONS if name.split(".")[1] not in ("view", "export")}
    assert not [name for name in changing if rules.may(Role.AUDITOR, name)]
    assert not rules.may(Role.AUDITOR, "codes.export")


def test_an_unknown_permission_is_a_fault() -> None:
    with pytest.raises(KeyError):
        rules.may(Role.OWNER, "orders.eat")


@pytest.mark.parametrize(
    "password",
    [
        "1234567", "x" * 129, "password", "PASSWORD", "PassWord1", "12345678", "87654321",
        "88888888", "abababab", "qwertyuiop", "asdfghjkl", "1qaz2wsx", "woaini1314", "a1234567",
        "13812345678", "Zoe@QQ.com",
    ],
)  # fmt: skip
def test_a_password_easily_guessed_is_refused(password: str) -> None:
    with pytest.raises(Refusal) as refused:
        rules.check_password(password, "13812345678", "zoe@qq.com", "")
    assert refused.value.field == "password"


def test_the_three_thousand_most_common_are_refused() -> None:
    assert len(rules.COMMON_PASSWORDS) >= 3000
    assert all(len(word) >= rules.PASSWORD_LEAST for word in rules.COMMON_PASSWORDS)
    for word in ("football", "Princess", "BASEBALL"):
        with pytest.raises(Refusal):
            rules.check_password(word)


@pytest.mark.parametrize("length", [64, rules.PASSWORD_MOST])
def test_a_sentence_is_a_password(length: int) -> None:
    rules.check_password(("a sentence " * 20)[:length])


@pytest.mark.parametrize("password", ["好密码只要长一些", "lemontree", "83716492", "xkqmzvwt"])
def test_a_password_needs_no_kinds_of_symbols(password: str) -> None:
    rules.check_password(password)


def test_patience_doubles_and_has_an_end() -> None:
    account = rules.PATIENCE["account"]
    waits = [account.wait(failures).total_seconds() for failures in range(14)]
    assert waits == [0] * 6 + [1, 2, 4, 8, 16, 32, 60, 60]
    assert all(patience.wait(10**6) == patience.longest for patience in rules.PATIENCE.values())


def test_a_network_that_mistypes_once_a_minute_never_waits() -> None:
    network, failures = rules.PATIENCE["network"], 0
    for _ in range(10_000):
        failures = network.count(failures, timedelta(minutes=1))
    assert network.wait(failures) == timedelta(0)


def test_a_long_attack_is_forgiven_as_fast_as_a_short_one() -> None:
    account, failures = rules.PATIENCE["account"], 0
    for _ in range(10_000):
        failures = account.count(failures, timedelta(minutes=1))
    assert account.wait(failures) == account.longest
    assert account.wait(account.count(failures, timedelta(minutes=80))) == timedelta(0)


def test_a_step_up_is_good_for_five_minutes() -> None:
    now = datetime(2026, 7, 3, tzinfo=UTC)
    assert rules.is_fresh(now - timedelta(minutes=4, seconds=59), now)
    assert not rules.is_fresh(now - timedelta(minutes=5), now)
    assert not rules.is_fresh(None, now)


def test_staff_sessions_are_short_and_buyers_long() -> None:
    assert rules.lifetime(None) == rules.Lifetime(timedelta(days=14), timedelta(days=60))
    for role in Role:
        assert rules.lifetime(role) == rules.Lifetime(timedelta(minutes=30), timedelta(hours=12))
