"""What a sale earns, and what a refund takes back of it: pure, and the same for a posting, for the
simulator and for the audit.

Amounts are minor units and rates basis points. Every share is rounded half up (`share`); only what
a pool may hold at most is rounded down, so that it is never exceeded.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import IntEnum, StrEnum
from typing import Any, NamedTuple

WHOLE_BP = 10_000


class Scope(IntEnum):
    """What a rule names; of those that name a sale the highest wins."""

    DEFAULT = 1
    TIER = 2
    CATEGORY = 3
    PRODUCT = 4
    CAMPAIGN_AND_TIER = 5
    DISTRIBUTOR = 6
    DISTRIBUTOR_AND_PRODUCT = 7


SCOPES = {
    frozenset[str](): Scope.DEFAULT,
    frozenset({"tier_id"}): Scope.TIER,
    frozenset({"category_id"}): Scope.CATEGORY,
    frozenset({"product_id"}): Scope.PRODUCT,
    frozenset({"campaign", "tier_id"}): Scope.CAMPAIGN_AND_TIER,
    frozenset({"distributor_id"}): Scope.DISTRIBUTOR,
    frozenset({"distributor_id", "product_id"}): Scope.DISTRIBUTOR_AND_PRODUCT,
}
NAMES = ("distributor_id", "product_id", "category_id", "tier_id", "campaign")


class Verdict(StrEnum):
    """Why a rule that names the sale won or lost."""

    WON = "won"
    NOT_STARTED = "not_started"
    ENDED = "ended"
    LESS_SPECIFIC = "less_specific"
    # As specific as the one that won, and made before it.
    OLDER = "older"


@dataclass(frozen=True)
class RuleTerms:
    """A rule of a plan as plain values; the meaning of each stands at `models.Rule`."""

    id: int
    level: int = 1
    distributor_id: int | None = None
    product_id: int | None = None
    category_id: int | None = None
    tier_id: int | None = None
    campaign: str = ""
    percent_bp: int = 0
    per_unit: int = 0
    cap_per_order: int | None = None
    cap_per_month: int | None = None
    min_margin_bp: int | None = None
    starts_at: datetime | None = None
    ends_at: datetime | None = None

    @property
    def scope(self) -> Scope:
        """Raises KeyError for a combination that no scope is for."""
        return SCOPES[frozenset(name for name in NAMES if getattr(self, name))]


@dataclass(frozen=True)
class Context:
    """Who would earn, at which level, on what, and when it was paid for."""

    level: int
    distributor_id: int
    tier_id: int
    product_id: int
    category_id: int | None
    campaign: str
    at: datetime


class Candidate(NamedTuple):
    """A rule that names the sale, and what became of it."""

    rule_id: int
    scope: Scope
    verdict: Verdict


@dataclass(frozen=True)
class Resolution:
    """The rule that counts, if there is one, and everyone that was looked at."""

    rule: RuleTerms | None
    candidates: tuple[Candidate, ...]


@dataclass(frozen=True)
class Sale:
    """What one level earns on.

    `base` is what was paid for the line; `cost` what the line cost the shop, None when nobody
    knows. `earned_*` is what the rule has given her already, `taken` what the levels before hers
    take of this line. `percent`: the line's share of the order's rounded percentage, if it differs
    from its own.
    """

    base: int
    quantity: int
    cost: int | None = None
    earned_this_order: int = 0
    earned_this_month: int = 0
    taken: int = 0
    pool_max_bp: int = WHOLE_BP
    percent: int | None = None


class Step(NamedTuple):
    """One step of the arithmetic: by which value, and the amount after it."""

    name: str
    value: int
    amount: int


@dataclass(frozen=True)
class Line:
    """A line of an order: `base` is what was paid for it, `cost` what it cost the shop."""

    id: int
    product_id: int
    category_id: int | None
    quantity: int
    base: int
    cost: int | None = None


@dataclass(frozen=True)
class Earner:
    """Who earns at a level."""

    level: int
    distributor_id: int
    tier_id: int


@dataclass(frozen=True)
class Earning:
    """What one level earns on one line, with everything it came from."""

    line_id: int
    earner: Earner
    rule: RuleTerms
    candidates: tuple[Candidate, ...]
    sale: Sale
    amount: int
    steps: tuple[Step, ...]

    def trace(self) -> list[dict[str, Any]]:
        """As JSON: the rules that were looked at, what went in, and each step."""
        looked_at = [
            {"kind": "rule", "rule": one.rule_id, "scope": one.scope.name, "verdict": one.verdict}
            for one in self.candidates
        ]
        steps = [{"kind": "step"} | one._asdict() for one in self.steps]
        return [*looked_at, {"kind": "sale"} | asdict(self.sale), *steps]


def share(amount: int, rate_bp: int) -> int:
    """`rate_bp` basis points of an amount that is not negative, rounded half up."""
    return half_up(amount * rate_bp, WHOLE_BP)


def half_up(numerator: int, denominator: int) -> int:
    """The fraction, rounded half up; neither part is negative."""
    return (2 * numerator + denominator) // (2 * denominator)


# Which rule


def resolve(rules: Sequence[RuleTerms], context: Context) -> Resolution:
    """The most specific rule that names the sale and holds at its time; of equals the newest."""
    naming = [rule for rule in rules if _names(rule, context)]
    holding = [rule for rule in naming if _verdict_of_time(rule, context.at) is None]
    winner = max(holding, key=lambda rule: (rule.scope, rule.id), default=None)
    return Resolution(
        winner,
        tuple(
            Candidate(rule.id, rule.scope, _verdict(rule, winner, context.at))
            for rule in sorted(naming, key=lambda rule: (-rule.scope, -rule.id))
        ),
    )


def _names(rule: RuleTerms, context: Context) -> bool:
    return rule.level == context.level and all(
        not getattr(rule, name) or getattr(rule, name) == getattr(context, name) for name in NAMES
    )


def _verdict_of_time(rule: RuleTerms, at: datetime) -> Verdict | None:
    if rule.starts_at is not None and at < rule.starts_at:
        return Verdict.NOT_STARTED
    if rule.ends_at is not None and at >= rule.ends_at:
        return Verdict.ENDED
    return None


def _verdict(rule: RuleTerms, winner: RuleTerms | None, at: datetime) -> Verdict:
    of_time = _verdict_of_time(rule, at)
    if of_time is not None:
        return of_time
    if rule is winner:
        return Verdict.WON
    # Whatever holds at the time has lost to a winner.
    is_equal = winner is not None and rule.scope == winner.scope
    return Verdict.OLDER if is_equal else Verdict.LESS_SPECIFIC


# How much


def amount(rule: RuleTerms, sale: Sale) -> tuple[int, tuple[Step, ...]]:
    """What the rule gives for a sale, and how that came about; never negative, never above the
    base. What is cut is cut in this order: by order, by month, by margin, by the pool."""
    steps = []
    result = share(sale.base, rule.percent_bp) if sale.percent is None else sale.percent
    if rule.percent_bp:
        steps.append(Step("percent", rule.percent_bp, result))
    if rule.per_unit:
        result += rule.per_unit * sale.quantity
        steps.append(Step("per_unit", rule.per_unit, result))
    for name, limit, room in _limits(rule, sale):
        if result > room:
            result = max(room, 0)
            steps.append(Step(name, limit, result))
    if rule.min_margin_bp is not None and sale.cost is None:
        steps.append(Step("cost_unknown", rule.min_margin_bp, result))
    return result, tuple(steps)


def _limits(rule: RuleTerms, sale: Sale) -> Iterator[tuple[str, int, int]]:
    """Each limit's name, its value, and how much it leaves."""
    if rule.cap_per_order is not None:
        yield "cap_per_order", rule.cap_per_order, rule.cap_per_order - sale.earned_this_order
    if rule.cap_per_month is not None:
        yield "cap_per_month", rule.cap_per_month, rule.cap_per_month - sale.earned_this_month
    if rule.min_margin_bp is not None and sale.cost is not None:
        kept = sale.cost + share(sale.base, rule.min_margin_bp)
        yield "min_margin", rule.min_margin_bp, sale.base - kept - sale.taken
    pool = sale.base * sale.pool_max_bp // WHOLE_BP
    yield "pool_max", sale.pool_max_bp, pool - sale.taken


def spread(exact: Sequence[int]) -> list[int]:
    """Whole units of an order's lines, each given in 1/10,000: rounded half up line by line, and
    the last absorbs what is missing to the rounded total. A line that would take more than the
    total has left gets what is left, so none is negative."""
    left = half_up(sum(exact), WHOLE_BP)
    whole = []
    for part in exact[:-1]:
        whole.append(min(half_up(part, WHOLE_BP), left))
        left -= whole[-1]
    return [*whole, left] if exact else []


def of_order(
    pick: Callable[[Earner, Line], Resolution],
    lines: Sequence[Line],
    earners: Sequence[Earner],
    earned_this_month: Mapping[tuple[int, int], int],
    pool_max_bp: int,
) -> list[Earning]:
    """What each level earns on each line of one order, by the rule that `pick` gives.

    Level 2 earns on the same base as level 1, not on what that gets. `earned_this_month` is by
    distributor and rule. A line for which there is no rule is left out.
    """
    taken: Counter[int] = Counter()
    earnings: list[Earning] = []
    for earner in sorted(earners, key=lambda one: one.level):
        given: Counter[int] = Counter()
        found = [(line, pick(earner, line)) for line in lines]
        percents = _percents(found)
        for line, got in found:
            if got.rule is None:
                continue
            before = earned_this_month.get((earner.distributor_id, got.rule.id), 0)
            sale = Sale(
                base=line.base,
                quantity=line.quantity,
                cost=line.cost,
                earned_this_order=given[got.rule.id],
                earned_this_month=before + given[got.rule.id],
                taken=taken[line.id],
                pool_max_bp=pool_max_bp,
                percent=percents.get(line.id),
            )
            result, steps = amount(got.rule, sale)
            given[got.rule.id] += result
            taken[line.id] += result
            earnings.append(Earning(line.id, earner, got.rule, got.candidates, sale, result, steps))
    return earnings


def _percents(found: Sequence[tuple[Line, Resolution]]) -> dict[int, int]:
    """Each line's share of the order's rounded percentage, where its rule gives a percentage."""
    exact = {
        line.id: line.base * got.rule.percent_bp
        for line, got in found
        if got.rule is not None and got.rule.percent_bp
    }
    return dict(zip(exact, spread(list(exact.values())), strict=True))


# Taking back


def reversal(amount: int, base: int, refunded: int, already: int) -> int:
    """What a refund takes back now: `amount × refunded / base`, rounded half up, less what was
    taken back `already`. When all of the base is refunded, all of the amount is."""
    if refunded >= base:
        return amount - already
    return half_up(amount * refunded, base) - already


def from_trace(trace: Sequence[Mapping[str, Any]]) -> Sale | None:
    """The sale that a stored trace was computed from."""
    for entry in trace:
        if entry["kind"] == "sale":
            return Sale(**{name: value for name, value in entry.items() if name != "kind"})
    return None
