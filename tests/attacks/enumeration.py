"""Orders of others, by number, guessed contact or guessed link; and what answers give away."""

import re
import secrets
from functools import partial

from tests import factories
from tests.attacks import target as house
from tests.attacks.crowd import Crowd
from tests.attacks.outcome import Outcome, control
from tests.attacks.target import Target
from tests.attacks.visitor import Page, Visitor

ORDERS = 20
ADDRESSES = 20
TRIES_EACH = 60
# What web.limits gives to one address in ten minutes.
LOOK_UPS = 20
# What differs between any two answers: tokens, and what was typed.
CHANGES = re.compile(r'(?:value|content|nonce)="[^"]*"')


def run(target: Target, scale: float) -> Outcome:
    """Orders opened, and answers that tell an order that is there from one that is not."""
    # More than the look-up lets one address do.
    tries = max(int(TRIES_EACH * scale), 20)
    networks = max(int(ADDRESSES * scale), 2)
    with target.inside():
        wanted = house.product(600)
        path = house.path_of(wanted)
        numbers = [factories.buy(wanted).number for _ in range(ORDERS)]
        phone = target.phone()
        own = factories.place(wanted, phone=phone)
        number, token = own.order.number, own.token or ""
    spies = [target.attacker(40_000 + number) for number in range(networks)]
    with Crowd(partial(target.buy, path=path), house.crowd_of(scale)) as crowd:
        results = house.in_parallel([partial(_spy, spy, numbers, tries) for spy in spies])
    opened = sum(result[0] for result in results)
    telling = sum(result[1] for result in results)
    stopped = sum(result[2] for result in results)
    control(stopped < networks * tries, "look-ups are answered, and can be compared")
    beyond = sum(max(0, 2 * (tries - result[2]) - LOOK_UPS) for result in results)
    reach = control(
        _opens(target, number, phone, token), "its contact, its link and its own page open an order"
    )
    return Outcome(
        "order enumeration",
        f"{networks * tries} look-ups, pages and links from {networks} networks",
        opened + telling + beyond,
        f"no order, no hint, {LOOK_UPS} look-ups a network",
        f"{stopped} tries for nothing",
        reach,
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


def _opens(target: Target, number: str, phone: str, token: str) -> bool:
    """Whether what is looked for is seen, and told apart, where it may be seen."""
    by_contact, by_link = target.attacker(49_998), target.attacker(49_999)
    stranger = by_contact.get(f"/orders/{number}")
    opened = (
        _look_up(by_contact, number, phone),
        by_link.get(f"/o/{token}"),
        by_contact.get(f"/orders/{number}"),
    )
    return all(
        page.shows("order-state") and _bare(page, number) != _bare(stranger, number)
        for page in opened
    )


def _look_up(spy: Visitor, number: str, contact: str) -> Page:
    form = spy.get("/lookup")
    return spy.submit(form, "/lookup", number=number, contact=contact)


def _bare(page: Page, number: str) -> tuple[int, str]:
    """An answer without what has to differ."""
    return page.status, CHANGES.sub("", page.text.replace(number, ""))
