"""The English catalogue, held against the code: `python -m tests.translations [--update]`.

Without an option it says what is missing and exits with 1. `--update` adds the sentences that are
new, drops those that are gone, and compiles.
"""

import re
import sys
from collections.abc import Iterator
from functools import cache
from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).parent.parent
PO = ROOT / "app/translations/en/LC_MESSAGES/messages.po"
MO = PO.with_suffix(".mo")
PLACEHOLDER = re.compile(r"%\(\w+\)[a-z]|%%")
CHINESE = re.compile(r"[\u4e00-\u9fff]")
# A name is the same in every language.
NAMES = ("硬架", "中文")


@cache
def wanted() -> frozenset[str]:
    """Every sentence that the code and the pages mark for translation."""
    found: set[str] = set()
    templates = [("**.html", "jinja2"), ("**.txt", "jinja2")]
    for folder, methods in ((ROOT / "app", [("**.py", "python")]), (ROOT / "templates", templates)):
        rows = extract_from_dir(folder, methods, keywords={**DEFAULT_KEYWORDS, "N_": None})
        found |= {message for _, _, message, _, _ in rows if isinstance(message, str) and message}
    return frozenset(found)


def catalogue() -> Catalog:
    with PO.open("rb") as file:
        return read_po(file, locale="en")


def faults() -> Iterator[str]:
    """What is wrong with the catalogue, a line each."""
    known = {message.id: message for message in catalogue() if message.id}
    for sentence in sorted(wanted() - known.keys()):
        yield f"not in the catalogue: {sentence}"
    for sentence in sorted(known.keys() - wanted()):
        yield f"nobody says it any more: {sentence}"
    for message in known.values():
        yield from _faults_of(message)
    if MO.read_bytes() != compiled():
        yield "messages.mo is not what messages.po compiles to"


def compiled() -> bytes:
    buffer = BytesIO()
    write_mo(buffer, catalogue())
    return buffer.getvalue()


def update() -> None:
    """Bring the catalogue to what the code says; new sentences are left empty."""
    known = {message.id: message.string for message in catalogue() if message.id}
    fresh = Catalog(locale="en", project="Hardshelf", charset="utf-8", fuzzy=False)
    for sentence in sorted(wanted()):
        fresh.add(sentence, known.get(sentence, ""))
    buffer = BytesIO()
    write_po(buffer, fresh, width=100, omit_header=True)
    PO.write_bytes(HEADER + buffer.getvalue())
    MO.write_bytes(compiled())


# The date is a fixed one: without it the compiled catalogue would carry the minute it was made in.
HEADER = b"""# The English of Hardshelf. The message ids are the Chinese sentences;
# tests/translations.py keeps them in step with the code.
msgid ""
msgstr ""
"POT-Creation-Date: 2026-01-01 00:00+0000\\n"
"Language: en\\n"
"MIME-Version: 1.0\\n"
"Content-Type: text/plain; charset=utf-8\\n"
"Content-Transfer-Encoding: 8bit\\n"
"Plural-Forms: nplurals=2; plural=(n != 1);\\n"

"""


def _faults_of(message: Message) -> Iterator[str]:
    english = str(message.string)
    plain = english
    for name in NAMES:
        plain = plain.replace(name, "")
    if not english:
        yield f"has no English: {message.id}"
    elif message.fuzzy:
        yield f"is only guessed: {message.id}"
    elif sorted(PLACEHOLDER.findall(str(message.id))) != sorted(PLACEHOLDER.findall(english)):
        yield f"other placeholders: {message.id} → {english}"
    elif CHINESE.search(plain):
        yield f"still Chinese: {english}"


def main() -> None:
    if "--update" in sys.argv:
        update()
    found = list(faults())
    print("\n".join(found) or "English is complete.")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
