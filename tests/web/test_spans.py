"""A span is written in words and read back as the same."""

import pytest
from flask import Flask
from flask_babel import force_locale
from hypothesis import given
from hypothesis import strategies as st

from app import create_app
from app.domain.redemptions.spans import Duration
from app.web import spans
from tests.conftest import settings

WRITTEN = [
    ("P1M", "1 个月", "1 month"),
    ("P1Y3M", "1 年 3 个月", "1 year 3 months"),
    ("P30D", "30 天", "30 days"),
    ("PT90M", "1 小时 30 分钟", "1 hour 30 minutes"),
    ("P2W", "14 天", "14 days"),
    ("", "", ""),
]


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Flask:
    """Words need languages, and no database."""
    directory = tmp_path_factory.mktemp("spans")
    return create_app(settings(directory, f"sqlite:///{directory / 'none.db'}"))


@pytest.mark.parametrize(("text", "chinese", "english"), WRITTEN)
def test_written_in_words_exactly(pages: Flask, text: str, chinese: str, english: str) -> None:
    for locale, expected in (("zh", chinese), ("en", english)):
        with pages.test_request_context(), force_locale(locale):
            assert spans.words(text) == expected


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("3天", "P3D"),
        ("１ 年 6 个月", "P1Y6M"),
        ("2小时30分", "PT2H30M"),
        ("1 Month 2 days 1 hour", "P1M2DT1H"),
        ("2 周", "P2W"),
        ("p30d", "P30D"),
        ("PT2H", "PT2H"),
        ("", ""),
        ("soon", "SOON"),
        ("3 moons", "3 MOONS"),
        ("3", "3"),
        ("3 天半", "3 天半"),
    ],
)
def test_read_as_people_write(typed: str, expected: str) -> None:
    assert spans.iso(typed) == expected


@given(
    st.sampled_from(["zh", "en"]),
    st.tuples(*(st.integers(0, most) for most in (99, 11, 9999, 23, 59))),
)
def test_what_is_written_is_read_as_the_same(
    pages: Flask, locale: str, parts: tuple[int, ...]
) -> None:
    years, months, days, hours, minutes = parts
    text = f"P{years}Y{months}M{days}DT{hours}H{minutes}M"
    with pages.test_request_context(), force_locale(locale):
        read = spans.iso(spans.words(text))
    assert Duration.parse(read) == Duration.parse(text)
