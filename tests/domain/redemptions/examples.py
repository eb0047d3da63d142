"""Short forms for tables of examples: the shop's time, and unless said the year 2026."""

from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo

from app.domain.redemptions.validity import History, Judgement, Policy, judge

SHANGHAI = ZoneInfo("Asia/Shanghai")
BERLIN = ZoneInfo("Europe/Berlin")
SOLD = "01-31 10:00"


def at(text: str, zone: ZoneInfo = SHANGHAI) -> datetime:
    """A moment of the shop's clock; a trailing "again" is the second time it comes."""
    year = "" if text.count("-") == 2 else "2026-"
    local = datetime.fromisoformat(year + text.removesuffix(" again")).replace(tzinfo=zone)
    return local.replace(fold=int(text.endswith(" again"))).astimezone(UTC)


def shown(moment: datetime | None, zone: ZoneInfo = SHANGHAI) -> str | None:
    if moment is None:
        return None
    local = moment.astimezone(zone)
    text = f"{local:%Y-%m-%d %H:%M}".removeprefix("2026-")
    return text + (" again" if local.fold else "")


def hours(*spans: str) -> tuple[tuple[time, time], ...]:
    found = [span.split("–") for span in spans]
    return tuple((time.fromisoformat(start), time.fromisoformat(end)) for start, end in found)


def used(*moments: str, zone: ZoneInfo = SHANGHAI) -> History:
    used_at = tuple(at(moment, zone) for moment in moments)
    return History(sold_at=at(SOLD), first_used_at=used_at[0] if used_at else None, used_at=used_at)


def ask(policy: Policy, now: str, history: History | None = None, need: int = 1) -> Judgement:
    return judge(policy, history or used(), at(now), SHANGHAI, need)


def verdict(policy: Policy, now: str, history: History | None = None, need: int = 1) -> str:
    """Yes, or why not and when next, as one line of a table."""
    return line_of(ask(policy, now, history, need), at(now), SHANGHAI)


def line_of(judgement: Judgement, now: datetime, zone: ZoneInfo) -> str:
    assert judgement.allowed == (judgement.slug == "") == (judgement.next_at == now)
    next_at = shown(judgement.next_at, zone)
    return "yes" if judgement.allowed else f"{judgement.slug.removeprefix('code-')}, {next_at}"
