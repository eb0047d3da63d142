"""A member of staff copies codes at night; later the file of an export gets about."""

import secrets
from collections.abc import Callable

import sqlalchemy as sa

from app.core import clock
from app.core.actors import acting_as
from app.core.crypto import Secret
from app.core.db import session, transaction
from app.core.errors import Conflict
from app.core.sealed_zip import opened
from app.domain.orders import leaks
from app.domain.redemptions import guessing, replacing
from app.domain.redemptions.answers import Unusable
from app.domain.risk.visits import Visit
from app.domain.vault import alarms, batches, exporting, stock, watching
from app.domain.vault.alarm_models import Alarm, AlarmKind
from app.domain.vault.models import Batch, BatchState, CodeState, Reveal
from app.drill.report import Report
from app.drill.shop import Shop, fresh, work

EXPORTED = 20
IP = "198.51.100.20"
REASON = "买家说打不开"


def play(shop: Shop, report: Report) -> None:
    report.scene("1. A member of staff, who may look at codes for support, copies them one by one.")
    _copy_codes(shop, report)
    report.scene("2. An export goes its proper way, and its file with the password gets about.")
    lines = _export(shop, report)
    alarm = _use(lines, shop, report)
    if alarm is not None:
        report.scene("3. The owner deals with the alarm.")
        _deal_with(alarm, shop, report)


def _copy_codes(shop: Shop, report: Report) -> None:
    began, had, stopped = clock.now(), 0, 0
    sold = [
        (code.id, order.contact_index)
        for code, order in leaks.sold_lately(shop.batch_id, began - watching.DAY)
    ]
    for code_id, buyer in sold:
        try:
            with acting_as(shop.thief):
                watching.reveal_to_staff(code_id, buyer, reason=REASON, ip=IP)
            had += 1
        except Conflict:
            stopped += 1
    work()
    fresh()
    alarm = session.scalars(sa.select(Alarm).where(Alarm.kind == AlarmKind.STAFF)).one_or_none()
    seen = session.scalar(sa.select(sa.func.sum(Reveal.code_count)).where(Reveal.by_staff))
    report.count(revealed=had, stopped=stopped, recorded=int(seen or 0))
    report.thief(
        f"tried {len(sold)} codes, one after the other, and has seen {had} of them",
        held=had == watching.MOST_A_NIGHT_HOUR,
    )
    if alarm is None:
        report.shop("noticed nothing", held=False)
        return
    after = (alarm.at - began).total_seconds()
    told = alarm.told_at is not None
    report.shop(
        f"stopped him at the {had + 1}th, {after:.1f} s after the first, refused {stopped} tries "
        f"and {'wrote to' if told else 'did not write to'} the owner",
        held=told and alarm.about == f"staff:{shop.thief}",
    )
    report.shop(
        f"knows which {seen or 0} codes he saw, when, from where and what he gave as the reason",
        held=seen == had,
    )


def _export(shop: Shop, report: Report) -> list[str]:
    with acting_as(shop.operator):
        asked = watching.request_export(shop.batch_id, EXPORTED, reason="交给线下门店", ip=IP)
        alone = _succeeds(lambda: exporting.approve(asked.id))
    with acting_as(shop.owner):
        transaction(lambda: exporting.approve(asked.id))
    with acting_as(shop.operator):
        password: Secret = transaction(lambda: exporting.new_password(asked.id))
        file = watching.download_export(asked.id, ip=IP)
        again = _succeeds(lambda: exporting.download(asked.id, ip=IP))
    lines = opened(file.content, password).decode("utf-8-sig").splitlines()
    report.count(exported=len(lines) - 1, alone=int(alone), twice=int(again))
    report.shop(
        f"let {EXPORTED} codes out to two people and took them off the shelf; one alone could not, "
        "and not twice",
        held=not alone and not again and len(lines) == EXPORTED + 1,
    )
    report.thief(f"has the file and its password: {len(lines)} lines, which all look alike")
    return lines


def _use(lines: list[str], shop: Shop, report: Report) -> Alarm | None:
    """He tries the codes, each from another address, until the shop notices."""
    began, tries, got = clock.now(), 0, 0
    secrets.SystemRandom().shuffle(lines)
    for line in lines:
        tries += 1
        try:
            guessing.read(line, Visit("", f"thief-{tries}", f"device-{tries}"))
            got += 1
        except Unusable:
            pass
        fresh()
        alarm = session.scalars(sa.select(Alarm).where(Alarm.about.startswith("export:"))).first()
        if alarm is not None:
            break
    batch = session.get_one(Batch, shop.batch_id)
    report.count(tries=tries, redeemed=got)
    report.thief(f"typed {tries} of them at the redeem page; {got} worked", held=got == 0)
    if alarm is None:
        report.shop("noticed nothing", held=False)
        return None
    export = alarms.export_of(alarm)
    work()
    fresh()
    after = (alarm.at - began).total_seconds()
    report.shop(
        f"knew it {after:.1f} s after his first try, at the canary of that file: export "
        f"{export.id if export else '?'}, who asked for it and who approved it",
        held=export is not None
        and (export.requested_by, export.checked_by) == (shop.operator, shop.owner),
    )
    report.shop(
        "stopped selling the batch in the same moment and wrote to the owner",
        held=batch.state == BatchState.FROZEN
        and session.get_one(Alarm, alarm.id).told_at is not None,
    )
    return alarm


def _deal_with(alarm: Alarm, shop: Shop, report: Report) -> None:
    since = alarm.at - watching.DAY
    product_id = session.get_one(Batch, shop.batch_id).product_id
    concerned = leaks.count_sold(shop.batch_id, since)
    unsold = batches.count_codes([shop.batch_id])[shop.batch_id][CodeState.AVAILABLE]
    with acting_as(shop.owner):
        transaction(lambda: alarms.recall(alarm.id, shop.today, reason="怀疑文件外泄"))
        work()
        made = stock.stock_of([product_id], shop.today, cap=10_000)[product_id]
        transaction(lambda: replacing.start(alarm.id, since, reason="怀疑文件外泄"))
        work()
    fresh()
    counts = replacing.counts(session.get_one(Alarm, alarm.id), since)
    left = batches.count_codes([shop.batch_id])[shop.batch_id]
    report.count(concerned=concerned, recalled=unsold, made_anew=made, replaced=counts.replaced)
    report.shop(
        f"recalled {unsold} unsold codes and made {made} anew",
        held=unsold == made and not left[CodeState.AVAILABLE],
    )
    report.shop(
        f"named the {concerned} buyers who have codes of the batch and gave {counts.replaced} of "
        "them another",
        held=concerned == counts.replaced and not left[CodeState.SOLD],
    )


def _succeeds(act: Callable[[], object]) -> bool:
    try:
        transaction(act)
    except Conflict:
        return False
    return True
