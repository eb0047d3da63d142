"""Whom the merchant trusts, blocks or watches, whatever the counters say.

What is personal stands here as a keyed hash and a masked text. An entry ends by itself: nobody
remembers in a year why somebody was blocked.
"""

import ipaddress
import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from app.core import audit, clock, keys
from app.core.actors import actor
from app.core.db import after_commit, require_transaction, session
from app.core.errors import N_, Conflict, NotFound, Refusal
from app.domain.accounts.contacts import Contact
from app.domain.risk import keywords
from app.domain.risk.events import HASH_BYTES, hashed
from app.domain.risk.models import Key, ListEntry, ListKind, Subject

DAYS = (1, 7, 30, 90, 365)
DEFAULT_DAYS = 90
REASON_LENGTH = 200
# What a person types; device, payer and account are listed from a case or a decision.
TYPED = (Subject.ADDRESS, Subject.CONTACT, Subject.EMAIL_DOMAIN, Subject.KEYWORD)
# The sizes of network that can be listed. Wider than these is half the country.
V4_SIZES = range(16, 33)
V6_SIZES = (32, 48, 56, 64, 128)
DOMAIN = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]")
OF_KEY = {
    Key.DEVICE: Subject.DEVICE,
    Key.CONTACT: Subject.CONTACT,
    Key.ACCOUNT: Subject.ACCOUNT,
    Key.PAYER: Subject.PAYER,
}


@dataclass(frozen=True)
class Value:
    """What is listed: found by its hash, shown as `shown`."""

    subject: Subject
    value_hash: bytes
    shown: str


@dataclass(frozen=True)
class Listed:
    """What the lists say about somebody, and the entries that say it."""

    trusted: bool = False
    blocked: bool = False
    watched: bool = False
    entry_ids: tuple[int, ...] = ()


def parse(subject: Subject, text: str) -> Value:
    """Read what somebody typed; raises Refusal for the field `value`."""
    if subject == Subject.ADDRESS:
        return _network(text)
    if subject == Subject.EMAIL_DOMAIN:
        return _domain(text)
    if subject == Subject.KEYWORD:
        word = keywords.read(text)
        return Value(subject, _hash(subject, word), word)
    if subject == Subject.CONTACT:
        try:
            contact = Contact.parse(text)
        except Refusal as refusal:
            raise Refusal(refusal.message, field="value", **refusal.params) from None
        # The index of a contact is what counters know it by, so it can be listed from a case too.
        of_contact = hashed({Key.CONTACT: contact.index.hex()})[Key.CONTACT]
        return Value(subject, of_contact, contact.masked)
    raise Refusal(N_("这一类只能从审核单或判定记录里加入名单"), field="subject")


def known_as(key: Key, key_hash: bytes, shown: str) -> Value:
    """What a decision or a case knows somebody by, as something to list."""
    return Value(OF_KEY[key], key_hash, shown)


def add(
    kind: ListKind, value: Value, reason: str, end: int | datetime, source: str = "staff"
) -> ListEntry:
    """Put it on a list, for one of DAYS or until a moment; raises Refusal, Conflict."""
    require_transaction()
    if not 2 <= len(reason.strip()) <= REASON_LENGTH:
        raise Refusal(N_("请写明原因，2 到 %(most)s 个字"), field="reason", most=REASON_LENGTH)
    now = clock.now()
    expires_at = _moment_of(end, now)
    if value.subject == Subject.KEYWORD and kind == ListKind.TRUST:
        raise Refusal(N_("关键词谁都写得出来，不能加入信任名单"), field="list")
    _remove_the_expired(kind, value, now)
    if session.scalar(_live(kind, value).limit(1)) is not None:
        raise Conflict(N_("名单里已经有了，先移除旧的再加"), field="value")
    entry = ListEntry(
        list=kind,
        subject=value.subject,
        value_hash=value.value_hash,
        shown=value.shown,
        reason=reason.strip(),
        source=source,
        added_by=actor(),
        added_at=now,
        expires_at=expires_at,
    )
    session.add(entry)
    session.flush()
    after_commit(keywords.forget)
    audit.record("risk.list", "risk_list_entries", entry.id, reason=entry.reason, list=kind.value)
    return entry


def is_listed(kind: ListKind, value: Value) -> bool:
    """Whether it stands on this list now."""
    held = _live(kind, value).where(ListEntry.expires_at > clock.now())
    return session.scalar(held.limit(1)) is not None


def remove(entry_id: int) -> None:
    """Take it off its list; raises NotFound, Conflict."""
    entry = session.get(ListEntry, entry_id, with_for_update=True, populate_existing=True)
    if entry is None:
        raise NotFound
    if entry.removed_at is not None:
        raise Conflict(N_("已经移除了"))
    entry.removed_at = clock.now()
    after_commit(keywords.forget)
    audit.record("risk.unlist", "risk_list_entries", entry.id, list=entry.list.value)


def hashes_around(
    whose: Mapping[Key, bytes], address: str, email_domain: str, typed: str = ""
) -> list[bytes]:
    """What every entry about somebody, or about what she `typed`, would be found by; `address`,
    `email_domain` and `typed` may be empty.

    A hash is of its subject too, so no two subjects share one.
    """
    found = {value_hash for _, value_hash in _values(whose, address, email_domain)}
    found |= {_hash(Subject.KEYWORD, word) for word in keywords.found_in(typed)}
    return sorted(found)


def say(found: Collection[tuple[int, ListKind]]) -> Listed:
    """What those entries, by id and list, come to."""
    kinds = {kind for _, kind in found}
    return Listed(
        trusted=ListKind.TRUST in kinds,
        blocked=ListKind.BLOCK in kinds,
        watched=ListKind.WATCH in kinds,
        entry_ids=tuple(sorted(entry_id for entry_id, _ in found)),
    )


def count_hits(entry_ids: tuple[int, ...]) -> None:
    if entry_ids:
        session.execute(
            sa.update(ListEntry)
            .where(ListEntry.id.in_(entry_ids))
            .values(hits=ListEntry.hits + 1)
            .execution_options(synchronize_session=False)
        )


def holding(now: datetime) -> sa.Select[ListEntry]:
    """The entries that hold."""
    return sa.select(ListEntry).where(
        ListEntry.removed_at.is_(None),
        sa.or_(ListEntry.expires_at.is_(None), ListEntry.expires_at > now),
    )


def live(now: datetime, most: int = 500) -> list[ListEntry]:
    """The entries that hold, the newest first."""
    return list(session.scalars(holding(now).order_by(ListEntry.id.desc()).limit(most)))


def hashes_of(text: str) -> list[bytes]:
    """What an entry about this would be found by: an address by every network around it."""
    found = []
    for subject in TYPED:
        # What cannot be read as one is another.
        with suppress(Refusal):
            found.append(parse(subject, text).value_hash)
    with suppress(ValueError):
        found += [_hash(Subject.ADDRESS, network) for network in networks_around(text.strip())]
    return found


def _moment_of(end: int | datetime, now: datetime) -> datetime:
    if isinstance(end, datetime):
        if not now < end <= now + timedelta(days=max(DAYS)):
            raise Refusal(N_("到期时间要在今后一年之内"), field="end")
        return end
    if end not in DAYS:
        raise Refusal(N_("请选择有效期"), field="days")
    return now + timedelta(days=end)


def _live(kind: ListKind, value: Value) -> sa.Select[ListEntry]:
    return sa.select(ListEntry).where(
        ListEntry.list == kind,
        ListEntry.subject == value.subject,
        ListEntry.value_hash == value.value_hash,
        ListEntry.removed_at.is_(None),
    )


def _remove_the_expired(kind: ListKind, value: Value, now: datetime) -> None:
    for entry in session.scalars(_live(kind, value).where(ListEntry.expires_at <= now)):
        entry.removed_at = entry.expires_at
    session.flush()


def _values(
    whose: Mapping[Key, bytes], address: str, email_domain: str
) -> Iterator[tuple[Subject, bytes]]:
    for key, subject in OF_KEY.items():
        if key in whose:
            yield subject, whose[key]
    if address:
        for network in networks_around(address):
            yield Subject.ADDRESS, _hash(Subject.ADDRESS, network)
    if email_domain:
        yield Subject.EMAIL_DOMAIN, _hash(Subject.EMAIL_DOMAIN, email_domain)


def networks_around(address: str) -> list[str]:
    """Every network that could be listed and has this address in it."""
    parsed = ipaddress.ip_address(address)
    sizes = V4_SIZES if parsed.version == 4 else V6_SIZES
    bits, number, make = parsed.max_prefixlen, int(parsed), type(parsed)
    return [f"{make(number >> (bits - size) << (bits - size))}/{size}" for size in sizes]


def _network(text: str) -> Value:
    try:
        network = ipaddress.ip_network(text.strip(), strict=False)
    except ValueError:
        raise Refusal(
            N_("请填写 IP 地址或网段，例如 203.0.113.7 或 203.0.113.0/24"), field="value"
        ) from None
    sizes = V4_SIZES if network.version == 4 else V6_SIZES
    if network.prefixlen not in sizes:
        raise Refusal(
            N_(
                "网段太大，或不在支持的长度里。IPv4 支持 /16 到 /32，IPv6 支持 /32 /48 /56 /64 /128"
            ),
            field="value",
        )
    return Value(Subject.ADDRESS, _hash(Subject.ADDRESS, str(network)), str(network))


def _domain(text: str) -> Value:
    domain = text.strip().lower().removeprefix("@")
    if not DOMAIN.fullmatch(domain):
        raise Refusal(N_("请填写邮箱域名，例如 example.com"), field="value")
    return Value(Subject.EMAIL_DOMAIN, _hash(Subject.EMAIL_DOMAIN, domain), domain)


def _hash(subject: Subject, text: str) -> bytes:
    return keys.index(f"risk:{subject.value}", text)[:HASH_BYTES]
