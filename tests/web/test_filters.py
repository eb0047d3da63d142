"""How templates write amounts, moments, covers and browsers."""

from datetime import UTC, datetime

import pytest
from flask import Flask
from sqlalchemy.exc import OperationalError

from app.core.db import transaction
from app.domain.catalog import preferences
from app.web import filters


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (0, "¥0.00"),
        (1, "¥0.01"),
        (1234567, "¥12,345.67"),
        (-5, "-¥0.05"),
        (10**12, "¥10,000,000,000.00"),
    ],
)
def test_money(amount: int, text: str) -> None:
    assert filters.money(amount) == text


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_moment_is_in_the_shops_zone(app: Flask) -> None:
    at = datetime(2026, 7, 3, 16, 5, tzinfo=UTC)
    assert filters.when(at) == "2026-07-04 00:05"
    transaction(lambda: preferences.change({"zone": "America/New_York"}))
    assert filters.when(at) == "2026-07-03 12:05"


def test_a_cover_is_always_the_same_and_one_of_twelve() -> None:
    assert {filters.cover(f"商品 {n}") for n in range(200)} == set(range(1, 13))
    assert filters.cover("星河视频") == filters.cover("星河视频")


@pytest.mark.parametrize(
    ("name", "letter"),
    [("星河", "星"), ("  steam", "S"), ("【热】点卡", "热"), ("!!", "·"), ("", "·")],
)
def test_a_glyph(name: str, letter: str) -> None:
    assert filters.glyph(name) == letter


@pytest.mark.parametrize(
    ("user_agent", "words"),
    [
        ("(iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Safari/604.1", "iPhone · Safari"),
        ("(Linux; Android 14) Chrome/130 Safari/537.36 MicroMessenger/8.0", "Android · WeChat"),
        ("(Windows NT 10.0; Win64; x64) Chrome/130 Safari/537.36 Edg/130", "Windows · Edge"),
        ("curl/8.1", ""),
        ("", ""),
    ],
)
def test_a_browser_in_its_owners_words(user_agent: str, words: str) -> None:
    assert filters.device(user_agent) == words


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_shop_has_a_name_even_without_a_database(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    transaction(lambda: preferences.change({"name": "小满的店"}))
    assert filters.shop().name == "小满的店"

    def away() -> object:
        raise OperationalError("SELECT", {}, Exception("gone"))

    monkeypatch.setattr(preferences, "get", away)
    assert filters.shop().name == "小满的店"
