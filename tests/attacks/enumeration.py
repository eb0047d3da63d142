"""Orders of others, by number, guessed contact or guessed link; and what answers give away."""

import re
import secrets
from functools import partial

from tests import factories
from tests.attacks import target as house
from tests.attacks.crowd import Crowd
from tests.attacks.outcome import Outcome
from tests.attacks.target import Target
from tests.attacks.visitor import Page, Visitor

ORDERS = 20
ADDRESSES = 20
TRIES_EACH = 60
# What differs between any two answers: tokens, and what was typed.
CHANGES = re.compile(r'(?:value|content|nonce)="[^"]*"')


def run(target: Target, scale: float) -> Outcome:
    """Orders opened, and answers that tell an order that is there from one that is not."""
    tries = max(int(TRIES_EACH * scale), 20)
    with target.inside():
        wanted = house.product(600)
        path = house.path_of(wanted)
        numbers = [factories.buy(wanted).number for _ in range(ORDERS)]
    spies = [target.attacker(40_000 + number) for number in range(ADDRESSES)]
    with Crowd(partial(target.buy, path=path)) as crowd:
        results = house.in_parallel([partial(_spy, spy, numbers, tries) for spy in spies])
    opened = sum(result[0] for result in results)
    telling = sum(result[1] for result in results)
    return Outcome(
        "order enumeration",
        f"{ADDRESSES * tries} look-ups, pages and links from {ADDRESSES} networks",
        opened + telling,
        "no order, no hint",
        f"{sum(result[2] for result in results)} tries for nothing",
        crowd.people,
        tuple(crowd.troubles),
    )


def _spy(spy: Visitor, numbers: list[str], tries: int) -> tuple[int, int, int]:
    """How many orders opened, how many answers told something, how many tries were stopped."""
    opened = telling = stopped = 0
    for number in range(tries):
        real = numbers[number % len(numbers)]
        made_up = f"{real[:6]}{secrets.token_hex(5).upper()[:9]}"
        phone = f"138{secrets.randbelow(10**8):08d}"
        for there, not_there in (
            (_look_up(spy, real, phone), _look_up(spy, made_up, phone)),
            (spy.get(f"/orders/{real}"), spy.get(f"/orders/{made_up}")),
        ):
            opened += there.shows("order-state")
            stopped += 429 in (there.status, not_there.status)
            if 429 not in (there.status, not_there.status):
                telling += _bare(there, real) != _bare(not_there, made_up)
        opened += spy.get(f"/o/{secrets.token_urlsafe(16)}").shows("order-state")
    return opened, telling, stopped


def _look_up(spy: Visitor, number: str, contact: str) -> Page:
    form = spy.get("/lookup")
    return spy.submit(form, "/lookup", number=number, contact=contact)


def _bare(page: Page, number: str) -> tuple[int, str]:
    """An answer without what has to differ."""
    return page.status, CHANGES.sub("", page.text.replace(number, ""))
