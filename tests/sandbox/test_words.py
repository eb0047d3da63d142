"""The channel's two languages say the same things."""

import re

from app.sandbox.faults import Faults
from app.sandbox.words import WORDS, language_of
from tests.servers import ROOT

PAGE = (ROOT / "templates" / "sandbox" / "pay.html").read_text()


def test_both_languages_have_every_word() -> None:
    assert WORDS["zh"].keys() == WORDS["en"].keys()
    assert all(words for language in WORDS.values() for words in language.values())


def test_every_fault_on_the_page_exists_and_has_words() -> None:
    offered = set(re.findall(r'(?:number|switch)\("(\w+)"', PAGE))
    offered |= set(re.findall(r'"(\w+)"', PAGE.partition("for name in (")[2].partition(")")[0]))

    assert len(offered) > 10
    assert offered <= Faults.names()
    assert offered <= WORDS["zh"].keys()


def test_a_language_tag_finds_its_language() -> None:
    assert [language_of(tag) for tag in ("en", "EN-us", "zh-CN", "fr", "")] == [
        "en",
        "en",
        "zh",
        "zh",
        "zh",
    ]
