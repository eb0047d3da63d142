"""What is said about a code that cannot be used: exact to its owner, little to a stranger.

The slugs and sentences follow the table of field-notes §1.2; each says what to do next. A stranger
is told three things only (a typo, not found, not usable), so that guessing teaches nothing.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from app.core.errors import N_, Refusal
from app.domain.redemptions.validity import Judgement


@dataclass(frozen=True)
class Answer:
    """Why not (`message`) and what to do (`advice`): marked sentences filled with `params`, whose
    moments the page writes in the reader's way."""

    slug: str
    status: int
    message: str
    advice: str
    params: dict[str, Any] = field(default_factory=dict)


class Unusable(Refusal):
    """A code cannot be used; `answer` says all that its owner may know."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.message, field="code", **answer.params)
        self.answer = answer
        self.status = answer.status


NOT_FOUND = Answer(
    "code-not-found",
    404,
    N_("没有找到这个卡密"),
    N_("请对照原来的文字逐组核对；如果是从图片抄写的，试试直接复制粘贴"),
)
BAD_LINK = Answer(
    "code-not-found",
    404,
    N_("这个兑换链接无效"),
    N_("请从订单页重新打开，或向发给你的人要一个新的"),
)
UNUSABLE = Answer(
    "code-unusable",
    409,
    N_("这个卡密现在不能使用"),
    N_("登录购买时的账号，或打开订单页，可以看到原因"),
)
ELSEWHERE = Answer(
    "code-elsewhere",
    409,
    N_("这个卡密要到品牌方的页面使用"),
    N_("订单页的“怎么使用”里有入口和步骤"),
)
WRONG_PRODUCT = Answer(
    "code-wrong-product",
    409,
    N_("这个卡密不能这样使用"),
    N_("次卡和时长卡请到店出示，兑换码请在兑换页使用"),
)
VOID = Answer(
    "code-void", 410, N_("这个卡密已经作废"), N_("如果你没有申请过退款或更换，请在订单页反馈")
)
FROZEN = Answer("code-frozen", 423, N_("这个卡密已被冻结"), N_("请在订单页反馈，店主会尽快核实"))

# A stranger may hear these; whatever else is wrong is "not usable now".
FOR_STRANGERS = {"code-malformed", "code-not-found", "code-unusable"}

REFUSED_BY_RULES = {
    "code-not-started": (
        409,
        N_("%(start)s 起才能使用"),
        N_("最早可用：%(next)s，卡密和链接请留好"),
    ),
    "code-expired": (410, N_("已于 %(end)s 过期"), N_("可以在订单页反馈，问问能不能延期")),
    "code-outside-hours": (
        409,
        N_("现在不在可用时段"),
        N_("下次可用：%(next)s"),
    ),
    "code-too-soon": (409, N_("离上一次使用还太近"), N_("下次可用：%(next)s")),
    "code-day-limit": (
        409,
        N_("每天最多 %(most)s 次，今天已经用了 %(used)s 次"),
        N_("下次可用：%(next)s"),
    ),
    "code-uses-insufficient": (
        409,
        N_("还剩 %(left)s 次，不够这次需要的 %(need)s 次"),
        N_("减少这次的次数再试"),
    ),
}


def malformed(problem: str, params: dict[str, Any]) -> Answer:
    """A typo, and where: `problem` is own_codes.explain's sentence."""
    return Answer(
        "code-malformed", 400, problem, N_("改好后再试一次；卡密里没有 I、J、O、0、1"), dict(params)
    )


def recharging(since: datetime, account: str) -> Answer:
    """It was redeemed and the benefit is on its way."""
    return Answer(
        "code-recharging",
        423,
        N_("%(since)s 起正在为 %(account)s 充值"),
        N_("通常几分钟内到账，不用重复提交"),
        {"since": since, "account": account},
    )


def used(at: datetime, account: str) -> Answer:
    """Used up: when, and for whom, masked."""
    to_whom = N_("已于 %(at)s 用完，充到 %(account)s")
    message = to_whom if account else N_("已于 %(at)s 用完")
    return Answer(
        "code-used",
        409,
        message,
        N_("如果不是你本人用的，请在订单页反馈"),
        {"at": at, "account": account},
    )


def of(judgement: Judgement, last_use: datetime | None, account: str = "") -> Answer:
    """The answer to a judgement that says no."""
    if judgement.slug == "code-used":
        assert last_use is not None
        return used(last_use, account)
    status, message, advice = REFUSED_BY_RULES[judgement.slug]
    if judgement.next_at is None and "%(next)s" in advice:
        advice = N_("有效期内没有下一个可用的时段了，请在订单页反馈")
    return Answer(judgement.slug, status, message, advice, judgement.params)


def for_stranger(answer: Answer) -> Answer:
    """What somebody may hear who only holds the code."""
    return answer if answer.slug in FOR_STRANGERS else UNUSABLE
