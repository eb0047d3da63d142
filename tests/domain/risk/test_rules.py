"""What needs no database: conditions, and how truths become one answer."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.risk import conditions, restrictions, rules
from app.domain.risk.conditions import FACTS, BadCondition, Question
from app.domain.risk.models import Action, Checkpoint, EventKind, Key, RuleMode
from app.domain.risk.pack import PACK, Preset
from app.domain.risk.rules import POSSIBLE, SEVERITY, Trial, combine

COUNT = {"count": "placed", "by": "ip", "minutes": 10, "at_least": 5}
QUESTION = Question("count", EventKind.PLACED, Key.IP, 10)

facts = st.sampled_from(sorted(FACTS)).flatmap(
    lambda name: st.builds(
        lambda comparison, threshold: {"fact": name, comparison: threshold},
        st.sampled_from(conditions.COMPARISONS),
        st.integers(FACTS[name].least, FACTS[name].most),
    )
)
counts = st.builds(
    lambda function, kind, by, minutes, threshold: (
        {
            function: kind.value,
            "by": by.value,
            "minutes": minutes,
            "at_least": threshold,
        }
        | ({"of": "contact"} if function == "distinct" else {})
    ),
    st.sampled_from(conditions.FUNCTIONS),
    st.sampled_from(EventKind),
    st.sampled_from(Key),
    st.sampled_from(conditions.WINDOWS),
    st.integers(1, 10_000),
)
leaves = facts | counts
groups = st.builds(
    lambda name, parts: {name: parts},
    st.sampled_from(["all", "any"]),
    st.lists(leaves, min_size=1, max_size=3),
)
trees = leaves | groups
trials = st.lists(
    st.builds(
        Trial,
        st.text("ab", max_size=2),
        st.sampled_from([RuleMode.ON, RuleMode.SHADOW]),
        st.booleans(),
        st.sampled_from(SEVERITY[1:]),
        st.integers(-100, 100),
    ),
    max_size=6,
)


@given(trees)
def test_a_condition_reads_as_it_was_written(tree: dict[str, object]) -> None:
    condition = conditions.parse(tree)
    assert conditions.as_json(condition) == tree
    thresholds = [one.threshold for one in conditions.comparisons(condition)]
    assert conditions.with_thresholds(condition, thresholds) == condition


@given(trees, st.data())
def test_a_condition_is_what_its_parts_say(tree: dict[str, object], data: st.DataObject) -> None:
    condition = conditions.parse(tree)
    subjects = [one.subject for one in conditions.comparisons(condition)]
    values = st.none() | st.integers(0, 10_000)
    known = {subject: data.draw(values) for subject in subjects}
    truth, seen = conditions.judge(condition, known)
    assert [one.comparison.subject for one in seen] == subjects
    combine_parts = any if "any" in tree else all
    assert truth == combine_parts(one.is_true for one in seen)
    assert not any(one.is_true for one in seen if one.value is None)


@pytest.mark.parametrize(
    "tree",
    [
        [],
        {},
        {"all": []},
        {"none": [COUNT]},
        {"fact": "shoe_size", "at_least": 1},
        {"fact": ["amount"], "at_least": 1},
        {"fact": "amount"},
        {"fact": "amount", "at_least": 1, "below": 2},
        {"fact": "amount", "at_least": 0},
        {"fact": "amount", "at_least": True},
        {"fact": "amount", "at_least": "5"},
        COUNT | {"minutes": 11},
        COUNT | {"by": "shoe"},
        COUNT | {"of": "contact"},
        COUNT | {"at_least": 10_001},
        {"distinct": "placed", "by": "ip", "minutes": 10, "at_least": 2},
        {"any": [COUNT] * 13},
        {"all": [{"all": [{"all": [{"all": [COUNT]}]}]}]},
    ],
)
def test_what_is_no_condition_is_refused(tree: object) -> None:
    with pytest.raises(BadCondition):
        conditions.parse(tree)


def test_a_threshold_outside_its_limits_is_refused() -> None:
    condition = conditions.parse(COUNT)
    with pytest.raises(BadCondition):
        conditions.with_thresholds(condition, [0])
    with pytest.raises(BadCondition):
        conditions.with_thresholds(condition, [])
    assert conditions.judge(condition, {QUESTION: 4})[0] is False
    assert conditions.judge(condition, {QUESTION: 5})[0] is True


@given(st.sampled_from(Checkpoint), trials, st.booleans(), st.booleans())
def test_the_most_severe_wins_and_trust_spares_no_block(
    checkpoint: Checkpoint, found: list[Trial], trusted: bool, blocked: bool
) -> None:
    outcome = combine(checkpoint, found, trusted=trusted, blocked=blocked)
    counting = [trial.action for trial in found if trial.is_true and trial.mode == RuleMode.ON]
    assert 0 <= outcome.score <= 100
    if blocked:
        assert SEVERITY.index(outcome.action) >= SEVERITY.index(rules.hardest(checkpoint))
    hard = [action for action in counting if action in rules.HARD]
    if hard:
        assert outcome.action == max(hard, key=SEVERITY.index)
    if not trusted and counting:
        assert SEVERITY.index(outcome.action) >= max(map(SEVERITY.index, counting))
    if trusted and not blocked and not hard:
        assert outcome.action == Action.ALLOW
    shadows = [trial for trial in found if trial.mode == RuleMode.SHADOW]
    without = combine(
        checkpoint, [t for t in found if t not in shadows], trusted=trusted, blocked=blocked
    )
    assert without == outcome


@given(st.sampled_from(Checkpoint), trials, trials)
def test_a_rule_that_somebody_is_spared_counts_for_nothing(
    checkpoint: Checkpoint, found: list[Trial], spared: list[Trial]
) -> None:
    passed = [replace(trial, is_spared=True) for trial in spared]
    outcome = combine(checkpoint, found + passed, trusted=False, blocked=False)
    assert outcome == combine(checkpoint, found, trusted=False, blocked=False)


@pytest.mark.parametrize(
    ("checkpoint", "score", "action"),
    [
        (Checkpoint.CHECKOUT, 29, Action.ALLOW),
        (Checkpoint.CHECKOUT, 30, Action.CAPTCHA),
        (Checkpoint.CHECKOUT, 79, Action.CAPTCHA),
        (Checkpoint.CHECKOUT, 80, Action.BLOCK),
        (Checkpoint.PAID, 59, Action.ALLOW),
        (Checkpoint.PAID, 60, Action.HOLD),
        (Checkpoint.REDEEM, 100, Action.BLOCK),
    ],
)
def test_the_bands_of_the_score(checkpoint: Checkpoint, score: int, action: Action) -> None:
    trial = Trial("score", RuleMode.ON, True, Action.ALLOW, score)
    assert combine(checkpoint, [trial], trusted=False, blocked=False).action == action


@given(st.text(min_size=1, max_size=8), st.integers(0, 100), st.integers(0, 100))
def test_whom_a_rollout_chooses_it_chooses_when_it_grows(whom: str, one: int, other: int) -> None:
    small, large = sorted((one, other))
    if rules.is_chosen("rule", whom, small):
        assert rules.is_chosen("rule", whom, large)
    assert rules.is_chosen("rule", whom, 100)
    assert not rules.is_chosen("rule", whom, 0)


def test_a_rollout_chooses_about_as_many_as_it_says() -> None:
    chosen = sum(rules.is_chosen("rule", str(number), 30) for number in range(10_000))
    assert 2800 < chosen < 3200


@pytest.mark.parametrize("preset", PACK, ids=lambda preset: preset.slug)
def test_each_rule_of_the_pack_can_be_carried_out(preset: Preset) -> None:
    conditions.parse(preset.condition)
    assert preset.action in POSSIBLE[preset.checkpoint]
    lasts = preset.action in rules.LASTING
    assert lasts == (preset.minutes > 0)
    assert (preset.action in rules.RESTRICTING) == (preset.on_key is not None)
    if preset.action == Action.FREEZE:
        assert preset.on_key in restrictions.FREEZABLE


@pytest.mark.parametrize(
    ("checkpoint", "action", "done"),
    [
        (Checkpoint.CHECKOUT, Action.FREEZE, Action.FREEZE),
        # Who is frozen has paid all the same: a person looks at it.
        (Checkpoint.PAID, Action.FREEZE, Action.HOLD),
        (Checkpoint.PAID, Action.BLOCK, Action.HOLD),
        (Checkpoint.REGISTER, Action.FREEZE, Action.BLOCK),
        (Checkpoint.REVEAL, Action.CAPTCHA, Action.ALLOW),
    ],
)
def test_what_cannot_be_done_here_is_done_as_far_as_it_can(
    checkpoint: Checkpoint, action: Action, done: Action
) -> None:
    assert rules.as_far_as_possible(checkpoint, action) == done
