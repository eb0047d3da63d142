"""When a rule is true: a tree of comparisons, read from JSON, judged without a database.

    {"all": [part, …]} · {"any": [part, …]}
    {"fact": "amount", "at_least": 50000}
    {"count": "placed", "by": "ip", "minutes": 10, "at_least": 5}

A count is of what happened before: what is being decided on is not in it, but for its amount in a
sum of its own kind (`engine.HAPPENS`). `sum` and `max` are of amounts in minor units, `distinct`
counts different keys (`of`), `unpaid` orders without money. What cannot be known (a key that nobody
brought) makes its comparison false.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from app.domain.risk.models import EventKind, Key

MOST_DEPTH = 4
MOST_PARTS = 12
# The windows of field-notes §4: a minute to thirty days.
WINDOWS = (1, 10, 60, 24 * 60, 7 * 24 * 60, 30 * 24 * 60)
FUNCTIONS = ("count", "sum", "max", "distinct", "unpaid")
COMPARISONS = ("at_least", "below")


@dataclass(frozen=True)
class Limits:
    """Between which numbers a threshold may be set."""

    least: int
    most: int


COUNTS = Limits(1, 10_000)
# One fen to ten million yuan.
AMOUNTS = Limits(1, 1_000_000_000)
# What is known about what is decided on, besides what happened before: `amount` in minor units,
# `percent_of_usual` that in hundredths of the median of what orders are, `account_age` in hours
# since somebody was first seen, `quantity` in pieces, `hour` of the shop's day,
# `payout_account_age` in hours since it was added; of a distributor's orders of 30 days, how many
# in a hundred were refunded, were placed faster than a person can, were her own
# (channels/conduct.py); `watched` 1 for somebody on the list of those to be watched,
# `disposable_email` 1 for an address made to be thrown away, `wrong_codes_everywhere` how many
# codes that do not exist were typed lately, by anybody (two a second are forgiven).
FACTS = {
    "amount": AMOUNTS,
    "percent_of_usual": Limits(1, 10_000),
    "quantity": Limits(1, 1000),
    "account_age": Limits(0, 24 * 365),
    "hour": Limits(0, 24),
    "payout_account_age": Limits(0, 24 * 365),
    "refunded_percent": Limits(1, 100),
    "hasty_percent": Limits(1, 100),
    "own_percent": Limits(1, 100),
    "watched": Limits(0, 1),
    "disposable_email": Limits(0, 1),
    "wrong_codes_everywhere": Limits(1, 100_000),
}


class BadCondition(ValueError):
    """Not a condition: says what is wrong and where."""


@dataclass(frozen=True)
class Question:
    """What a counter is asked: `function` of `kind` by the same `by`, in the last `minutes`."""

    function: str
    kind: EventKind
    by: Key
    minutes: int
    of: Key | None = None


@dataclass(frozen=True)
class Comparison:
    """A fact or a count against a threshold."""

    subject: str | Question
    comparison: str
    threshold: int

    @property
    def limits(self) -> Limits:
        return limits_of(self.subject)

    def holds(self, value: int | None) -> bool:
        if value is None:
            return False
        return value >= self.threshold if self.comparison == "at_least" else value < self.threshold


@dataclass(frozen=True)
class Group:
    """All of its parts, or any of them."""

    needs_all: bool
    parts: tuple["Condition", ...]


Condition = Comparison | Group
Known = Mapping[str | Question, int | None]


@dataclass(frozen=True)
class Compared:
    """One comparison as it came out: what was found, against what, and whether that was enough."""

    comparison: Comparison
    value: int | None
    is_true: bool


def parse(tree: object) -> Condition:
    """Read a condition; raises BadCondition."""
    condition = _parse(tree, 1)
    if len(list(comparisons(condition))) > MOST_PARTS:
        raise BadCondition(f"more than {MOST_PARTS} comparisons")
    return condition


def as_json(condition: Condition) -> dict[str, Any]:
    """The inverse of `parse`."""
    if isinstance(condition, Group):
        name = "all" if condition.needs_all else "any"
        return {name: [as_json(part) for part in condition.parts]}
    threshold = {condition.comparison: condition.threshold}
    if isinstance(condition.subject, str):
        return {"fact": condition.subject} | threshold
    asked = condition.subject
    of = {"of": asked.of.value} if asked.of else {}
    what = {asked.function: asked.kind.value, "by": asked.by.value, "minutes": asked.minutes}
    return what | of | threshold


def comparisons(condition: Condition) -> Iterator[Comparison]:
    """Every comparison in it, in the order they are written in."""
    if isinstance(condition, Comparison):
        yield condition
        return
    for part in condition.parts:
        yield from comparisons(part)


def questions(condition: Condition) -> Iterator[Question]:
    """What counters have to be asked to judge it."""
    for one in comparisons(condition):
        if isinstance(one.subject, Question):
            yield one.subject


def judge(condition: Condition, known: Known) -> tuple[bool, list[Compared]]:
    """Whether it is true, and every comparison as it came out; none is left out."""
    if isinstance(condition, Comparison):
        value = known.get(condition.subject)
        is_true = condition.holds(value)
        return is_true, [Compared(condition, value, is_true)]
    judged = [judge(part, known) for part in condition.parts]
    combine = all if condition.needs_all else any
    return combine(truth for truth, _ in judged), [one for _, seen in judged for one in seen]


def with_thresholds(condition: Condition, thresholds: list[int]) -> Condition:
    """It with other thresholds, in the order of `comparisons`; raises BadCondition."""
    wanted = iter(thresholds)

    def replaced(part: Condition) -> Condition:
        if isinstance(part, Group):
            return Group(part.needs_all, tuple(replaced(each) for each in part.parts))
        threshold = next(wanted, None)
        if threshold is None:
            raise BadCondition("a threshold is missing")
        return Comparison(part.subject, part.comparison, _within(threshold, part.limits))

    return replaced(condition)


def limits_of(subject: str | Question) -> Limits:
    if isinstance(subject, str):
        return FACTS[subject]
    return AMOUNTS if subject.function in ("sum", "max") else COUNTS


def _parse(tree: object, depth: int) -> Condition:
    if not isinstance(tree, dict) or not tree:
        raise BadCondition("a condition is an object")
    if depth > MOST_DEPTH:
        raise BadCondition(f"deeper than {MOST_DEPTH}")
    if set(tree) in ({"all"}, {"any"}):
        ((name, parts),) = tree.items()
        if not isinstance(parts, list) or not parts:
            raise BadCondition(f"{name} wants a list with something in it")
        return Group(name == "all", tuple(_parse(part, depth + 1) for part in parts))
    return _parse_comparison(tree)


def _parse_comparison(tree: dict[str, Any]) -> Comparison:
    given = [name for name in COMPARISONS if name in tree]
    if len(given) != 1:
        raise BadCondition(f"one of {', '.join(COMPARISONS)} is wanted")
    rest = {name: value for name, value in tree.items() if name != given[0]}
    subject = rest.get("fact") if set(rest) == {"fact"} else _parse_question(rest)
    if isinstance(subject, Question):
        return Comparison(subject, given[0], _within(tree[given[0]], limits_of(subject)))
    if not isinstance(subject, str) or subject not in FACTS:
        raise BadCondition(f"no such fact: {subject!r}")
    return Comparison(subject, given[0], _within(tree[given[0]], limits_of(subject)))


def _parse_question(tree: dict[str, Any]) -> Question:
    functions = [name for name in FUNCTIONS if name in tree]
    if len(functions) != 1:
        raise BadCondition("a fact or one function is wanted")
    function = functions[0]
    wanted = {function, "by", "minutes"} | ({"of"} if function == "distinct" else set())
    if set(tree) != wanted:
        raise BadCondition(f"{function} wants exactly {', '.join(sorted(wanted))}")
    if tree["minutes"] not in WINDOWS:
        raise BadCondition(f"minutes must be one of {', '.join(map(str, WINDOWS))}")
    try:
        of = Key(tree["of"]) if "of" in tree else None
        return Question(function, EventKind(tree[function]), Key(tree["by"]), tree["minutes"], of)
    except ValueError as error:
        raise BadCondition(str(error)) from None


def _within(threshold: object, limits: Limits) -> int:
    if not isinstance(threshold, int) or isinstance(threshold, bool):
        raise BadCondition("a threshold is a whole number")
    if not limits.least <= threshold <= limits.most:
        raise BadCondition(f"a threshold between {limits.least} and {limits.most} is wanted")
    return threshold
