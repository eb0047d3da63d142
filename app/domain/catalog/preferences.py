"""What the merchant decides about the shop as a whole, typed, with a default for everything."""

import time
import zoneinfo
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from datetime import date
from typing import Any

import sqlalchemy as sa

from app.core import audit, clock
from app.core.db import after_commit, is_in_unit, require_transaction, session
from app.core.errors import N_, Refusal
from app.core.identity_numbers import is_credit_code
from app.domain.accounts.contacts import Contact, ContactKind
from app.domain.catalog.models import Preference

ACCENTS = ("pine", "indigo", "cinnabar", "plum", "ochre", "ink")
NAME_LENGTH = 30
# For how many days a click on a shared link counts, and whether a buyer stays a distributor's.
ATTRIBUTION_DAYS = (1, 7, 15, 30, 60, 90)
BIND_MODES = ("none", "first_order", "days365")
MOST_HOLDING_DAYS = 180
TEXT_LENGTHS = {
    "support": 500,
    "announcement": 500,
    "bank_account": 500,
    "canned_replies": 4000,
    "payer_name": 60,
}
# Long enough that a page costs no query, short enough that nobody waits for a change to show.
FRESH_FOR = 2.0


@dataclass(frozen=True)
class Preferences:
    """Texts are plain text. `hold_minutes`: how long an unpaid order keeps its codes. `messages`:
    whether buyers are written to, where there is a way to. `attribution_days`: how long a click on
    a shared link counts. `bind_mode`: whether a buyer's contact stays the distributor's."""

    name: str = "硬架小店"
    support: str = ""
    announcement: str = ""
    accent: str = "pine"
    zone: str = "Asia/Shanghai"
    hold_minutes: int = 15
    low_stock_at: int = 10
    bank_account: str = ""
    # What support says often, one a line.
    canned_replies: str = ""
    messages: bool = True
    attribution_days: int = 30
    bind_mode: str = "none"
    # For how many days after delivery a commission cannot be withdrawn yet; 0 is at once.
    commission_holding_days: int = 0
    # Withdrawals, in minor units: the least, the fee for each, what one distributor may ask for on
    # a day, and above which amount two members of staff have to look.
    payout_minimum: int = 1000
    payout_fee: int = 0
    payout_daily_count: int = 3
    payout_daily_amount: int = 5_000_000
    payout_check_above: int = 500_000
    # Who pays, as it stands on settlement statements: the company's registered name and its
    # unified social credit code. Without a name it is the shop's.
    payer_name: str = ""
    payer_code: str = ""
    # Whether the shop is a platform by law, whose sellers are taxed over the year
    # (公告2025年第16号); and whether their count of months begins again after one without income.
    is_platform: bool = False
    tax_gap_restarts: bool = True
    # Whether the audit log's anchor is sent out once a day, and to which e-mail address; without
    # one to the owners.
    anchor_mail: bool = False
    anchor_to: str = ""


DEFAULTS = Preferences()
# How each type is read back from the text that `str` made of it.
READ: dict[Any, Callable[[str], str | int | bool]] = {
    str: str,
    int: int,
    bool: lambda text: text == str(True),
}

# The values, when they were read, and from which database: a process may open several in turn.
_remembered: tuple[Preferences, float, object] | None = None


def get() -> Preferences:
    """The preferences as they were at most two seconds ago; within a unit, as they are."""
    return fresh() if is_in_unit() else lately()


def lately() -> Preferences:
    """As they were at most two seconds ago, within a unit, too: where that is good enough."""
    if _remembered is not None:
        value, read_at, source = _remembered
        if source is session.get_bind() and time.monotonic() - read_at < FRESH_FOR:
            return value
    return fresh()


def fresh() -> Preferences:
    """The preferences as they are: for the form that changes them, which would otherwise give back
    what another process has changed just now."""
    return _remember(_parse(_stored()), session.get_bind())


def today() -> date:
    """The shop's day: the date in its own zone."""
    return clock.today(get().zone)


def last_known() -> Preferences:
    """Without asking the database: for the page that says that it does not answer."""
    return _remembered[0] if _remembered is not None else DEFAULTS


def chosen() -> set[str]:
    """Names of the preferences that somebody has set."""
    return set(_stored())


def change(wanted: Mapping[str, object]) -> None:
    """Set these preferences; raises Refusal for the first that is not good. Audited."""
    require_transaction()
    before = asdict(_parse(_stored()))
    after = Preferences(**(before | dict(wanted)))
    for fault in faults(after):
        raise fault
    changes: dict[str, Any] = {
        name: [before[name], value]
        for name, value in asdict(after).items()
        if name in wanted and value != before[name]
    }
    for name, (_, value) in changes.items():
        session.merge(Preference(name=name, value=str(value)))
    # A name that is left as it was proposed is chosen all the same: the checklist ticks it.
    for name in set(wanted) - set(changes) - chosen():
        session.merge(Preference(name=name, value=str(before[name])))
    if changes:
        audit.record("preferences.change", "preferences", None, **changes)
    session.flush()
    after_commit(forget)


def faults(wanted: Preferences) -> Iterator[Refusal]:
    """All that is wrong, each fault naming its field."""
    if not 1 <= len(wanted.name.strip()) <= NAME_LENGTH:
        yield Refusal(N_("店名要有 1 到 %(most)s 个字"), field="name", most=NAME_LENGTH)
    for field, most in TEXT_LENGTHS.items():
        if len(getattr(wanted, field)) > most:
            yield Refusal(N_("最多 %(most)s 个字"), field=field, most=most)
    if wanted.accent not in ACCENTS:
        yield Refusal(N_("请选择一种颜色"), field="accent")
    if wanted.zone not in zoneinfo.available_timezones():
        yield Refusal(N_("没有这个时区，请填写例如 Asia/Shanghai"), field="zone")
    if not 5 <= wanted.hold_minutes <= 120:
        yield Refusal(N_("要在 5 到 120 分钟之间"), field="hold_minutes")
    if not 0 <= wanted.low_stock_at <= 100_000:
        yield Refusal(N_("要在 0 到 100,000 之间"), field="low_stock_at")
    yield from _faults_of_commission(wanted)
    if wanted.payer_code and not is_credit_code(wanted.payer_code):
        yield Refusal(N_("统一社会信用代码不对，请逐位核对"), field="payer_code")
    yield from _faults_of_payouts(wanted)
    yield from _faults_of_anchor(wanted)


def _faults_of_commission(wanted: Preferences) -> Iterator[Refusal]:
    if wanted.attribution_days not in ATTRIBUTION_DAYS:
        yield Refusal(N_("请选择列出的天数"), field="attribution_days")
    if wanted.bind_mode not in BIND_MODES:
        yield Refusal(N_("请选择一种绑定方式"), field="bind_mode")
    if not 0 <= wanted.commission_holding_days <= MOST_HOLDING_DAYS:
        yield Refusal(
            N_("要在 0 到 %(most)s 天之间"), field="commission_holding_days", most=MOST_HOLDING_DAYS
        )


def _faults_of_payouts(wanted: Preferences) -> Iterator[Refusal]:
    if not 100 <= wanted.payout_minimum <= 1_000_000:
        yield Refusal(N_("最低提现要在 1 到 10,000 元之间"), field="payout_minimum")
    # With a tax of at most 40 % something is left to pay whatever is asked for.
    if not 0 <= wanted.payout_fee * 2 <= wanted.payout_minimum:
        yield Refusal(N_("手续费不能超过最低提现金额的一半"), field="payout_fee")
    if not 1 <= wanted.payout_daily_count <= 100:
        yield Refusal(N_("要在 1 到 100 次之间"), field="payout_daily_count")
    if not wanted.payout_minimum <= wanted.payout_daily_amount <= 10**10:
        yield Refusal(N_("不能低于最低提现金额"), field="payout_daily_amount")
    # Never off: whoever may raise it without limit could pay herself alone.
    if not 0 <= wanted.payout_check_above <= 5_000_000:
        yield Refusal(N_("要在 0 到 50,000 元之间"), field="payout_check_above")


def _faults_of_anchor(wanted: Preferences) -> Iterator[Refusal]:
    if wanted.anchor_to and not _is_email(wanted.anchor_to):
        yield Refusal(N_("请填写完整的邮箱，例如 me@example.com"), field="anchor_to")


def _is_email(text: str) -> bool:
    try:
        return Contact.parse(text).kind == ContactKind.EMAIL
    except Refusal:
        return False


def forget() -> None:
    """Read them again the next time: after a change, or when another database is opened."""
    global _remembered  # noqa: PLW0603
    _remembered = None


def _remember(value: Preferences, bind: object) -> Preferences:
    global _remembered  # noqa: PLW0603  one value a process, replaced whole
    _remembered = (value, time.monotonic(), bind)
    return value


def _stored() -> dict[str, str]:
    rows = session.scalars(sa.select(Preference))
    return {row.name: row.value for row in rows}


def _parse(stored: Mapping[str, str]) -> Preferences:
    known = {field.name: field.type for field in fields(Preferences)}
    values: dict[str, str | int | bool] = {
        name: READ[known[name]](text) for name, text in stored.items() if name in known
    }
    return Preferences(**values)  # type: ignore[arg-type]
