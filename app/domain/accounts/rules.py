"""Who may do what, how long a session lives, what a password must be, how long a guesser waits."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from app.core.errors import N_, Refusal
from app.domain.accounts.models import Person, Role

OWNER, OPERATOR, SUPPORT, FINANCE, AUDITOR = Role
EVERYONE = frozenset(Role)

# The matrix: a permission is `<subject>.<verb>`, and these roles have it. Nothing else grants one.
PERMISSIONS: dict[str, frozenset[Role]] = {
    "console.view": EVERYONE,
    "products.view": EVERYONE,
    "products.change": frozenset({OWNER, OPERATOR}),
    "codes.view": frozenset({OWNER, OPERATOR, SUPPORT, AUDITOR}),
    "codes.add": frozenset({OWNER, OPERATOR}),
    "codes.change": frozenset({OWNER, OPERATOR}),
    "codes.reveal": frozenset({OWNER, SUPPORT}),
    "codes.export": frozenset({OWNER, OPERATOR}),
    "codes.shred": frozenset({OWNER}),
    "exports.view": frozenset({OWNER, OPERATOR, FINANCE, AUDITOR}),
    "exports.approve": frozenset({OWNER, FINANCE}),
    "orders.view": EVERYONE,
    "orders.serve": frozenset({OWNER, OPERATOR, SUPPORT}),
    "orders.replace": frozenset({OWNER, SUPPORT}),
    "orders.confirm": frozenset({OWNER, FINANCE}),
    "orders.refund": frozenset({OWNER, FINANCE}),
    "orders.export": frozenset({OWNER, FINANCE, AUDITOR}),
    "recharges.view": EVERYONE,
    "recharges.serve": frozenset({OWNER, OPERATOR, SUPPORT}),
    "recharges.settle": frozenset({OWNER, SUPPORT, FINANCE}),
    "recharges.export": frozenset({OWNER, FINANCE, AUDITOR}),
    "providers.view": frozenset({OWNER, OPERATOR, FINANCE, AUDITOR}),
    "providers.change": frozenset({OWNER}),
    "statements.view": frozenset({OWNER, FINANCE, AUDITOR}),
    "statements.settle": frozenset({OWNER, FINANCE}),
    "channels.view": frozenset({OWNER, OPERATOR, FINANCE, AUDITOR}),
    "channels.manage": frozenset({OWNER, OPERATOR}),
    "payouts.view": frozenset({OWNER, FINANCE, AUDITOR}),
    "payouts.review": frozenset({OWNER, FINANCE}),
    "payouts.pay": frozenset({OWNER, FINANCE}),
    "books.view": frozenset({OWNER, FINANCE, AUDITOR}),
    "books.close": frozenset({OWNER, FINANCE}),
    "risk.view": frozenset({OWNER, OPERATOR, SUPPORT, AUDITOR}),
    "risk.review": frozenset({OWNER, OPERATOR, SUPPORT}),
    "risk.oversee": frozenset({OWNER}),
    "risk.change": frozenset({OWNER, OPERATOR}),
    "passes.use": frozenset({OWNER, OPERATOR, SUPPORT}),
    "reveals.view": frozenset({OWNER, AUDITOR}),
    "alarms.view": frozenset({OWNER, OPERATOR, AUDITOR}),
    "alarms.handle": frozenset({OWNER}),
    "audit.view": frozenset({OWNER, AUDITOR}),
    "audit.export": frozenset({OWNER, AUDITOR}),
    "people.view": frozenset({OWNER, AUDITOR}),
    "people.change": frozenset({OWNER}),
    "health.view": frozenset({OWNER, OPERATOR, AUDITOR}),
    "health.retry": frozenset({OWNER, OPERATOR}),
    "keys.view": frozenset({OWNER}),
    "settings.view": EVERYONE,
    "settings.change": frozenset({OWNER}),
}

# What each permission means, in the words of the table on the page People.
PERMISSION_WORDS = {
    "console.view": N_("打开后台首页"),
    "products.view": N_("查看商品"),
    "products.change": N_("编辑、上架、下架商品"),
    "codes.view": N_("查看批次与导入记录（不含卡密）"),
    "codes.add": N_("导入与生成卡密"),
    "codes.change": N_("冻结、作废批次与卡密"),
    "codes.reveal": N_("查看卡密明文（需再次验证并写明原因）"),
    "codes.export": N_("申请导出没卖出的卡密，由另一人批准后下载（需再次验证）"),
    "codes.shred": N_("销毁已作废批次的密钥（需再次验证）"),
    "exports.view": N_("查看卡密导出"),
    "exports.approve": N_("批准、拒绝别人申请的卡密导出（批准需再次验证）"),
    "orders.view": N_("查看订单"),
    "orders.serve": N_("处理售后问题、重发、取消"),
    "orders.replace": N_("补发：作废坏卡并换新"),
    "orders.confirm": N_("确认转账到账"),
    "orders.refund": N_("退款"),
    "orders.export": N_("导出订单（需再次验证）"),
    "recharges.view": N_("查看充值"),
    "recharges.serve": N_("向供应商查询充值结果"),
    "recharges.settle": N_("改路、标记到账、放弃充值并退款（需再次验证）"),
    "recharges.export": N_("导出充值（需再次验证）"),
    "providers.view": N_("查看充值供应商"),
    "providers.change": N_("添加、修改、启停供应商（需再次验证）"),
    "statements.view": N_("查看供应商与渠道对账"),
    "statements.settle": N_("导入对账单，处理差异"),
    "channels.view": N_("查看分销商、等级与佣金"),
    "channels.manage": N_("审核、暂停分销商，设置等级与佣金规则，更正订单归属（需再次验证）"),
    "payouts.view": N_("查看提现与结算单"),
    "payouts.review": N_("审核提现"),
    "payouts.pay": N_("付款给分销商"),
    "books.view": N_("查看账本"),
    "books.close": N_("结账"),
    "risk.view": N_("查看风控：规则、名单、判定、审核"),
    "risk.review": N_("审核暂缓发货的订单（拒绝并退款需再次验证），解除限制"),
    "risk.oversee": N_("处理别人正在看的审核单"),
    "risk.change": N_("修改风控规则与名单（规则、导入导出需再次验证）"),
    "passes.use": N_("在柜台核销次卡"),
    "reveals.view": N_("查看卡密查看记录"),
    "alarms.view": N_("查看泄漏警报"),
    "alarms.handle": N_("处理泄漏警报：召回、关闭（需再次验证）"),
    "audit.view": N_("查看操作日志"),
    "audit.export": N_("导出操作日志（需再次验证）"),
    "people.view": N_("查看成员"),
    "people.change": N_("邀请、停用成员，更改角色（需再次验证）"),
    "health.view": N_("查看运行状况"),
    "health.retry": N_("重新执行失败的任务"),
    "keys.view": N_("查看密钥与轮换进度"),
    "settings.view": N_("查看店铺设置"),
    "settings.change": N_("更改店铺设置（需再次验证）"),
}

ROLE_WORDS = {
    OWNER: N_("店主"),
    OPERATOR: N_("运营"),
    SUPPORT: N_("客服"),
    FINANCE: N_("财务"),
    AUDITOR: N_("审计"),
}


def may(role: Role | None, permission: str) -> bool:
    """Whether a person with this role (None: a buyer) has the permission."""
    return role in PERMISSIONS[permission]


@dataclass(frozen=True)
class Lifetime:
    """How long a session lives untouched, and at the very longest."""

    idle: timedelta
    most: timedelta


# OWASP ASVS 5.0, 7.3.1 and 7.3.2: inactivity and absolute limits, by what is at stake.
STAFF_LIFETIME = Lifetime(timedelta(minutes=30), timedelta(hours=12))
BUYER_LIFETIME = Lifetime(timedelta(days=14), timedelta(days=60))
# A password was right and the second factor is still owed: time enough to set one up.
SECOND_FACTOR_WITHIN = timedelta(minutes=15)
STEP_UP_LASTS = timedelta(minutes=5)
INVITATION_LASTS = timedelta(hours=48)
# `seen_at` is written at most this often: a page view must not cost a write.
SEEN_EVERY = timedelta(minutes=1)


def needs_second_factor(person: Person) -> bool:
    """Whether a password alone opens nothing: for staff, and for whoever set up a second factor."""
    return person.role is not None or person.totp_sealed is not None


def lifetime(role: Role | None) -> Lifetime:
    return BUYER_LIFETIME if role is None else STAFF_LIFETIME


@dataclass(frozen=True)
class Patience:
    """How a throttle answers failures: `free` of them cost nothing, then each doubles the wait.

    For every `forgives` that passes, one is forgiven: a network of thousands, or a busy shop, may
    mistype at that rate for ever. It delays and never locks out: `longest` is as long as anybody's
    attack can keep the rightful owner waiting.
    """

    free: int
    first: timedelta
    longest: timedelta
    forgives: timedelta

    def wait(self, failures: int) -> timedelta:
        """How long after so many failures the next try must wait."""
        if failures <= self.free:
            return timedelta(0)
        doublings = min(failures - self.free - 1, 30)
        return min(self.first * (1 << doublings), self.longest)

    def left(self, failures: int, since: timedelta) -> int:
        """How many of them are not forgiven yet, `since` the last one."""
        return max(failures - since // self.forgives, 0)

    def count(self, failures: int, since: timedelta) -> int:
        """One failure more than those that are left `since` the last one.

        Past the longest wait counting stops, so that a long attack is forgiven as fast as a short.
        """
        left = self.left(failures, since)
        return left if self.wait(left) == self.longest else left + 1


PATIENCE = {
    "account": Patience(
        5, timedelta(seconds=1), timedelta(minutes=1), forgives=timedelta(minutes=10)
    ),
    "network": Patience(
        30, timedelta(seconds=1), timedelta(minutes=5), forgives=timedelta(minutes=1)
    ),
    "everyone": Patience(
        600, timedelta(milliseconds=50), timedelta(seconds=1), forgives=timedelta(milliseconds=100)
    ),
    # Whoever gets here knows the password, so a stranger can keep nobody out with it.
    "second-factor": Patience(
        5, timedelta(seconds=5), timedelta(minutes=15), forgives=timedelta(hours=1)
    ),
}

# Whose order it is: its number stands on screenshots, so a guesser may have it, and he comes from
# as many addresses as he likes. A buyer who has forgotten which phone it was tries ten.
PATIENCE["lookup-order"] = Patience(
    10, timedelta(seconds=5), timedelta(minutes=2), forgives=timedelta(minutes=10)
)

# A code that was typed and does not exist: ten in a while are anybody's slips, a hundred are not.
# A guess costs nothing to make, so the count of everybody's is what stands against many addresses;
# nobody waits for it, because a crowd of guessers must not keep buyers from their codes: when there
# are many, risk asks everybody for a captcha (`wrong_codes_everywhere`).
PATIENCE |= {
    "redeem-network": Patience(
        10, timedelta(seconds=5), timedelta(minutes=10), forgives=timedelta(minutes=6)
    ),
    "redeem-device": Patience(
        10, timedelta(seconds=5), timedelta(minutes=10), forgives=timedelta(minutes=3)
    ),
    "redeem-account": Patience(
        10, timedelta(seconds=5), timedelta(minutes=10), forgives=timedelta(minutes=3)
    ),
    "redeem-everyone": Patience(
        100_000, timedelta(seconds=1), timedelta(seconds=1), forgives=timedelta(milliseconds=500)
    ),
}

PASSWORD_LEAST = 8
PASSWORD_MOST = 128


def check_password(password: str, *own: str) -> None:
    """Refuse what is too short, too long, too common, or is one of the person's `own` words.

    No rules about kinds of characters: they make passwords worse (NIST SP 800-63B, 5.1.1.2).
    """
    if len(password) < PASSWORD_LEAST:
        raise Refusal(N_("密码至少 %(least)s 位"), field="password", least=PASSWORD_LEAST)
    if len(password) > PASSWORD_MOST:
        raise Refusal(N_("密码最多 %(most)s 位"), field="password", most=PASSWORD_MOST)
    lowered = password.casefold()
    if is_common(lowered) or lowered in {word.casefold() for word in own if word}:
        raise Refusal(N_("这个密码太常见，很容易被猜到，请换一个"), field="password")


def is_common(lowered: str) -> bool:
    """On the list, one symbol repeated, or a run along the keyboard or the digits."""
    return (
        lowered in COMMON_PASSWORDS
        or len(set(lowered)) <= 2
        or any(lowered in row or lowered in row[::-1] for row in KEYBOARD_RUNS)
    )


KEYBOARD_RUNS = (
    "01234567890123456789",
    "abcdefghijklmnopqrstuvwxyz",
    "qwertyuiopasdfghjklzxcvbnm",
    "1qaz2wsx3edc4rfv5tgb6yhn",
    "1q2w3e4r5t6y7u8i9o0p",
)

# The 3,000 most common of eight symbols and more (ASVS 5.0, 6.2.4; shorter ones are refused anyway)
# in the list of leaked passwords that zxcvbn carries, and those usual in China.
COMMON_PASSWORDS = frozenset(
    Path(__file__).with_name("common_passwords.txt").read_text(encoding="utf-8").split()
)


def is_fresh(stepped_up_at: datetime | None, now: datetime) -> bool:
    """Whether a person proved who they are recently enough for a dangerous act."""
    return stepped_up_at is not None and now - stepped_up_at < STEP_UP_LASTS
