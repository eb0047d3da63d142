"""E-mail addresses made to be thrown away: domains that give one to anybody, for minutes.

The list comes with the shop (`data/disposable_domains.txt`, which says of when it is). It knows the
well-known ones and never all: a shop's own additions belong on the watch or block list.
"""

from functools import cache
from pathlib import Path

FILE = Path(__file__).parent / "data/disposable_domains.txt"


def is_disposable(domain: str) -> bool:
    """Whether a domain, or one that it lies under, is on the list; `domain` in lower case."""
    labels = domain.split(".")
    return any(".".join(labels[start:]) in domains() for start in range(len(labels) - 1))


@cache
def domains() -> frozenset[str]:
    lines = FILE.read_text(encoding="utf-8").splitlines()
    return frozenset(line for line in lines if line and not line.startswith("#"))
