"""What is said about a code: exact to its owner, little to a stranger, in two languages."""

from dataclasses import replace
from datetime import datetime

import pytest
from flask import Flask
from flask_babel import force_locale

from app.core.errors import Refusal
from app.domain.redemptions import answers
from app.domain.redemptions.answers import Answer, Unusable, for_stranger
from app.domain.redemptions.validity import Anchor, History, Judgement, Policy
from app.domain.vault import own_codes
from app.web import rules_of_use
from tests.domain.redemptions.examples import ask, at, hours, used

NOW = "05-09 12:00"  # a Saturday
WORKDAYS = frozenset({1, 2, 3, 4, 5})
LAST_USE = at("05-09 11:00")
CLOSED_FOR_GOOD = Policy(weekdays=WORKDAYS, end_at=at("05-10 00:00"))
FROM_SUNDAY = Policy(weekdays=WORKDAYS, start_at=at("05-10 00:00"))
NEXT = "下次可用：2026-05-11 00:00"
NEVER_AGAIN = "有效期内没有下一个可用的时段了，请在订单页反馈"


def judged(policy: Policy, uses: int = 0, need: int = 1) -> Judgement:
    return ask(policy, NOW, used(*["05-09 11:00"] * uses), need)


def test_what_a_code_is_told_by_the_rules(app: Flask) -> None:
    told = [
        (judged(Policy(start_at=at("05-11 00:00"))), 409, "2026-05-11 00:00 起才能使用"),
        (judged(Policy(end_at=at("05-09 00:00"))), 410, "已于 2026-05-09 00:00 过期"),
        (judged(Policy(uses_total=1), 1), 409, "已于 2026-05-09 11:00 用完，充到 138****0000"),
        (judged(Policy(uses_total=3), 2, 2), 409, "还剩 1 次，不够这次需要的 2 次"),
        (judged(Policy(weekdays=WORKDAYS)), 409, "现在不在可用时段"),
        (judged(Policy(min_gap="PT2H"), 1), 409, "离上一次使用还太近"),
        (judged(Policy(uses_per_day=2), 2), 409, "每天最多 2 次，今天已经用了 2 次"),
    ]
    assert {judgement.slug for judgement, _, _ in told} == {"code-used", *answers.REFUSED_BY_RULES}
    with app.test_request_context(), force_locale("zh"):
        for judgement, status, sentence in told:
            answer = answers.of(judgement, LAST_USE, "138****0000")
            assert (answer.slug, answer.status) == (judgement.slug, status)
            assert rules_of_use.why_not(answer) == sentence
            assert "%(" not in rules_of_use.advice(answer)


@pytest.mark.parametrize(
    ("policy", "advice"),
    [
        (Policy(weekdays=WORKDAYS), NEXT),
        (FROM_SUNDAY, "最早可用：2026-05-11 00:00，卡密和链接请留好"),
        (Policy(min_gap="PT2H"), "下次可用：2026-05-09 13:00"),
        (Policy(uses_per_day=1), "下次可用：2026-05-10 00:00"),
        # No next moment is promised that never comes.
        (CLOSED_FOR_GOOD, NEVER_AGAIN),
        (Policy(uses_per_day=1, end_at=at("05-10 00:00")), NEVER_AGAIN),
        (replace(FROM_SUNDAY, end_at=at("05-11 00:00")), NEVER_AGAIN),
    ],
)
def test_the_advice_names_the_next_moment(app: Flask, policy: Policy, advice: str) -> None:
    with app.test_request_context(), force_locale("zh"):
        assert rules_of_use.advice(answers.of(judged(policy, 1), LAST_USE)) == advice


def test_used_up_without_an_account_names_none(app: Flask) -> None:
    with app.test_request_context(), force_locale("zh"):
        answer = answers.of(judged(Policy(uses_total=1), 1), LAST_USE)
        assert rules_of_use.why_not(answer) == "已于 2026-05-09 11:00 用完"


def every_answer() -> list[Answer]:
    since = datetime.fromisoformat("2026-05-09T11:00+00:00")
    typed = own_codes.explain("OOOO-BBBB-CCCC-DDDD-EEEE")
    rules = [
        Judgement(False, slug, {"start": since, "end": since, "next": next_at}, next_at)
        for slug in answers.REFUSED_BY_RULES
        for next_at in (since, None)
    ]
    figures = {"left": 1, "need": 2, "most": 3, "used": 3}
    for judgement in rules:
        judgement.params.update(figures)
    constants = [value for value in vars(answers).values() if isinstance(value, Answer)]
    return [
        *constants,
        answers.malformed(typed.problem, typed.params),
        answers.recharging(since, "138****0000"),
        answers.used(since, "138****0000"),
        answers.used(since, ""),
        *(answers.of(judgement, None) for judgement in rules),
    ]


@pytest.mark.parametrize("answer", every_answer(), ids=lambda answer: answer.slug)
def test_it_says_why_and_what_to_do_in_both_languages(app: Flask, answer: Answer) -> None:
    assert answer.slug.startswith("code-")
    assert 400 <= answer.status < 500
    for language in ("zh", "en"):
        with app.test_request_context(), force_locale(language):
            told = rules_of_use.why_not(answer), rules_of_use.advice(answer)
        for sentence in told:
            assert sentence
            assert "%(" not in sentence
            assert any("\u4e00" <= letter <= "\u9fff" for letter in sentence) == (language == "zh")


@pytest.mark.parametrize("answer", every_answer(), ids=lambda answer: answer.slug)
def test_a_stranger_learns_three_things_only(answer: Answer) -> None:
    told = for_stranger(answer)
    if answer.slug in ("code-malformed", "code-not-found"):
        assert told is answer
    else:
        assert told is answers.UNUSABLE
        assert told.params == {}


def test_it_is_a_refusal_at_the_field_of_the_code() -> None:
    answer = answers.used(LAST_USE, "138****0000")
    refusal = Unusable(answer)

    assert isinstance(refusal, Refusal)
    assert (refusal.status, refusal.field, refusal.answer) == (409, "code", answer)
    assert str(refusal) == answer.message % answer.params
    assert "%(" not in str(refusal)


def test_rules_in_words(app: Flask) -> None:
    policy = Policy(
        anchor=Anchor.FIRST_USED,
        duration="P30D",
        weekdays=WORKDAYS,
        hours=hours("09:00–12:00", "14:00–18:00"),
        uses_per_day=2,
    )
    with app.test_request_context(), force_locale("zh"):
        assert rules_of_use.sentences(policy) == [
            "首次使用后 30 天内有效",
            "周一至周五 09:00–12:00、14:00–18:00 可用",
            "每天最多 2 次",
        ]
    with app.test_request_context(), force_locale("en"):
        assert rules_of_use.sentences(policy) == [
            "Valid for 30 days after the first use",
            "Mon–Fri, 09:00–12:00, 14:00–18:00",
            "At most 2 a day",
        ]


def test_a_history_without_uses_is_never_used_up() -> None:
    assert ask(Policy(uses_total=1), NOW, History()).slug == ""
