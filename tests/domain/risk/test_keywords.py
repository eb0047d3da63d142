"""Words on a list, and domains that throw addresses away: found in what somebody typed."""

import re

import pytest
from flask import Flask

from app.core.db import transaction
from app.core.errors import Refusal
from app.domain.catalog import offers
from app.domain.catalog.models import AccountFormat, ProductKind
from app.domain.catalog.offers import OfferFields
from app.domain.catalog.recharge_accounts import RechargeAccount
from app.domain.risk import (
    disposable,
    keywords,
    list_files,
    lists,
    live_rules,
    rule_changes,
    stopping,
)
from app.domain.risk.models import Action, Decision, ListEntry, ListKind, Rule, RuleMode, Subject
from tests import factories
from tests.domain.risk import shopping
from tests.fake_provider import ObedientProvider, add_provider, speaking

pytestmark = pytest.mark.usefixtures("rules")


def name(word: str, kind: ListKind = ListKind.WATCH) -> ListEntry:
    """Put a word on a list."""
    value = lists.parse(Subject.KEYWORD, word)
    return transaction(lambda: lists.add(kind, value, "引流", 30))


def recharge(account: str) -> Decision:
    """What was decided about an order that recharges this account."""
    product = factories.make_product(
        codes=0, kind=ProductKind.RECHARGE, account_format=AccountFormat.PLATFORM
    )
    with speaking(obedient=ObedientProvider()):
        provider = add_provider("obedient", slug=f"p{product.id}")
        transaction(lambda: offers.add_offer(product.id, OfferFields(provider.id, "S1", 100)))
    shopping.order(product, account=RechargeAccount.parse(AccountFormat.PLATFORM, account))
    return shopping.latest()


@pytest.mark.parametrize(
    ("word", "text", "is_found"),
    [
        ("卖卡", "我是卖卡的", True),
        ("ＶＸ", "加vx：abc", True),
        ("Telegram", "TELEGRAM me", True),
        ("two words", "two\u3000  WORDS", True),
        ("卖卡", "卖 卡", False),
        ("vx", "", False),
    ],
)
def test_a_word_is_found_however_it_is_written(
    app: Flask, word: str, text: str, is_found: bool
) -> None:
    entry = name(word)
    assert keywords.found_in(text) == ([entry.shown] if is_found else [])


def test_a_word_counts_until_it_is_taken_off(app: Flask) -> None:
    entry = name("reseller")
    assert keywords.found_in("a ReSeller") == ["reseller"]
    transaction(lambda: lists.remove(entry.id))
    assert keywords.found_in("a ReSeller") == []


@pytest.mark.parametrize("word", ["", "x", " 卖 ", "w" * 41])
def test_a_word_has_a_length_that_says_something(app: Flask, word: str) -> None:
    with pytest.raises(Refusal, match="关键词要有"):
        lists.parse(Subject.KEYWORD, word)


def test_nobody_is_trusted_for_a_word(app: Flask) -> None:
    with pytest.raises(Refusal, match="不能加入信任名单"):
        name("honest", ListKind.TRUST)


def test_a_file_names_words(app: Flask) -> None:
    lines = list_files.read("list,type,value,reason\nwatch,keyword,Reseller,引流\n".encode())
    assert transaction(lambda: list_files.take(lines, factories.ZONE)) == []
    assert keywords.found_in("reseller") == ["reseller"]


def test_who_types_a_listed_word_is_watched_or_stopped(app: Flask) -> None:
    entry = name("reseller")
    transaction(lambda: setattr(_rule("watched"), "checkpoint", "checkout"))
    transaction(lambda: setattr(_rule("watched"), "action", Action.CAPTCHA))
    live_rules.forget()
    assert recharge("honest.name").inputs["watched"] == 0
    assert recharge("Top_RESELLER").inputs["watched"] == 1

    transaction(lambda: lists.remove(entry.id))
    name("reseller", ListKind.BLOCK)
    with pytest.raises(stopping.Stopped, match="编号"):
        recharge("top_reseller2")
    assert shopping.latest().action == Action.BLOCK


@pytest.mark.parametrize(
    ("domain", "is_disposable"),
    [
        ("mailinator.com", True),
        ("in.mailinator.com", True),
        ("notmailinator.example", False),
        ("qq.com", False),
        ("com", False),
        ("", False),
    ],
)
def test_a_domain_that_throws_away_is_known(domain: str, is_disposable: bool) -> None:
    assert disposable.is_disposable(domain) == is_disposable


def test_the_list_of_domains_is_clean_and_dated() -> None:
    lines = disposable.FILE.read_text(encoding="utf-8").splitlines()
    names = [line for line in lines if not line.startswith("#")]
    assert re.search(r"As of \d{4}-\d\d-\d\d", "".join(lines[:4]))
    assert len(names) >= 300
    assert names == sorted(set(names))
    assert [one for one in names if not lists.DOMAIN.fullmatch(one)] == []
    lasting = {
        "qq.com",
        "163.com",
        "126.com",
        "gmail.com",
        "outlook.com",
        "proton.me",
        "foxmail.com",
    }
    assert lasting & disposable.domains() == set()


def test_a_disposable_address_is_asked_for_a_captcha_once_its_rule_is_on(app: Flask) -> None:
    product = factories.make_product(codes=3)
    shopping.order(product, phone="someone@mailinator.com")
    seen = shopping.latest()
    assert (seen.action, seen.inputs["disposable_email"]) == (Action.ALLOW, 1)

    transaction(lambda: setattr(_rule("disposable_email"), "state", RuleMode.ON))
    live_rules.forget()
    with pytest.raises(stopping.CaptchaNeeded):
        shopping.order(product, phone="other@sub.mailinator.com")
    assert shopping.latest().score == 20
    shopping.order(product, phone="other@qq.com")
    assert shopping.latest().inputs["disposable_email"] == 0


def _rule(slug: str) -> Rule:
    return rule_changes.find(slug)
