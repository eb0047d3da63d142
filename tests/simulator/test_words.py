"""The provider's two languages say the same things."""

import re

from app.simulator.conditions import WAYS_DOWN
from app.simulator.faults import TABLE
from app.simulator.pages import TONES
from app.simulator.words import WORDS
from tests.servers import ROOT

PAGE = "".join(
    (ROOT / "templates" / name).read_text()
    for name in ("outside/layout.html", "simulator/control.html")
)


def test_both_languages_have_every_word() -> None:
    assert WORDS["zh"].keys() == WORDS["en"].keys()
    assert all(words for language in WORDS.values() for words in language.values())


def test_everything_on_the_page_has_words_and_all_words_are_used() -> None:
    used = set(re.findall(r"words\.(\w+)", PAGE)) | TONES.keys()
    used |= {f"case_{digits}" for digits in TABLE} | {f"down_{way}" for way in WAYS_DOWN}

    assert used == WORDS["zh"].keys()
