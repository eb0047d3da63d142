"""Somebody takes the whole database, and looks for what is worth something in it.

He has every file and every table, some real codes to try his guesses with, and no master key.
"""

import hashlib
import os

import sqlalchemy as sa

from app.core import keys
from app.core.crypto import KEY_BYTES, KeyRing, Tampered, blind_index
from app.core.db import session
from app.core.keys import DataKeyRow
from app.domain.accounts.contacts import Contact
from app.domain.orders.models import Order
from app.domain.vault import own_codes
from app.domain.vault.models import Code
from app.domain.vault.rules import normalise
from app.drill import searching
from app.drill.report import Report
from app.drill.shop import Shop

MASTER_KEYS_TRIED = 200
CODES_GUESSED = 2_000
KNOWN = 5


def play(shop: Shop, report: Report) -> None:
    report.scene("4. Somebody else takes the whole database: every file, every table.")
    codes = searching.codes()
    _search(shop, codes, report)
    _open_without_key(report)
    _guess(codes, shop, report)


def _search(shop: Shop, codes: list[str], report: Report) -> None:
    """Look for each secret, as it is and as other texts would carry it."""
    numbers = session.scalars(sa.select(Order.number)).all()
    session.rollback()
    loot = searching.database(shop.database)
    found = searching.found([*codes, *shop.contacts, *numbers], loot)
    found_codes, found_contacts = len(found & {*codes}), len(found & {*shop.contacts})
    control = len(found & {*numbers})
    report.count(
        codes_planted=len(codes),
        codes_found=found_codes,
        contacts_planted=len(shop.contacts),
        contacts_found=found_contacts,
        numbers_planted=len(numbers),
        numbers_found=control,
    )
    report.thief(
        f"has {sum(map(len, loot)) // 1024:,} kB: order numbers, amounts, times, the last four "
        "symbols of each code, contacts as 139****1234"
    )
    report.thief(
        f"looked in all of it for {len(codes)} codes and found {found_codes}; for "
        f"{len(shop.contacts)} contacts and found {found_contacts}",
        held=found_codes == found_contacts == 0,
    )
    report.shop(
        f"(that the search finds what is there: {control} of {len(numbers)} order numbers)",
        held=control == len(numbers),
    )


def _open_without_key(report: Report) -> None:
    rows = session.scalars(sa.select(DataKeyRow).where(DataKeyRow.wrapped.is_not(None))).all()
    opened = 0
    for _ in range(MASTER_KEYS_TRIED):
        ring = KeyRing({row.master_key_id: os.urandom(KEY_BYTES) for row in rows})
        opened += sum(_unwraps(ring, row) for row in rows)
    report.count(data_keys=len(rows), master_keys_tried=MASTER_KEYS_TRIED, data_keys_opened=opened)
    report.thief(
        f"tried {MASTER_KEYS_TRIED} master keys on {len(rows)} wrapped keys and opened {opened}; "
        "there are 2^256 to try",
        held=opened == 0,
    )


def _unwraps(ring: KeyRing, row: DataKeyRow) -> bool:
    try:
        ring.unwrap(row.master_key_id, row.wrapped or b"", row.id, row.purpose)
    except Tampered:
        return False
    return True


def _guess(codes: list[str], shop: Shop, report: Report) -> None:
    """He even knows some codes and contacts, and cannot tell that they are in it."""
    stolen = set(session.scalars(sa.select(Code.lookup)))
    stolen |= set(session.scalars(sa.select(Order.contact_index)))
    wrapped = session.scalars(sa.select(DataKeyRow.wrapped)).all()
    keys_at_hand = [b"", b"hardshelf", *(raw for raw in wrapped if raw)][:8]
    known = [normalise(code, case_sensitive=True) for code in codes[:KNOWN]]
    guesses = [*known, *own_codes.generate(CODES_GUESSED), *shop.contacts]
    hits = sum(not stolen.isdisjoint(_indexes(guess, keys_at_hand)) for guess in guesses)
    with_key = sum(keys.index("code", text) in stolen for text in known)
    with_key += sum(Contact.parse(phone).index in stolen for phone in shop.contacts)
    report.count(guesses=len(guesses), hits=hits, right_guesses=with_key)
    report.thief(
        f"tried {len(guesses):,} guesses against the index, {with_key} of them right, by "
        f"{len(keys_at_hand)} keys that lie in the database and by none; {hits} were confirmed",
        held=hits == 0,
    )
    report.shop(
        f"(with the key it is told at once: {with_key} of {KNOWN + len(shop.contacts)})",
        held=with_key == KNOWN + len(shop.contacts),
    )


def _indexes(guess: str, keys_at_hand: list[bytes]) -> set[bytes]:
    made = {hashlib.sha256(guess.encode()).digest()}
    for scope in ("code", "contact", ""):
        made |= {blind_index(key, scope, guess) for key in keys_at_hand}
    return made
