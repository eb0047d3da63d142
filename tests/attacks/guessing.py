"""Guessers of redeem codes who know how our codes are made: from a hundred networks at once."""

from collections import Counter
from functools import partial

from app.core.db import transaction
from app.domain.catalog.models import ProductKind
from app.domain.catalog.recharge_accounts import AccountFormat
from app.domain.vault import own_codes
from tests import factories
from tests.attacks import target as house
from tests.attacks.crowd import Crowd
from tests.attacks.outcome import Outcome
from tests.attacks.target import Target
from tests.attacks.visitor import Visitor

TRIES = 10_000
ADDRESSES = 100
# What the rules give to one address in an hour before it is locked out.
ALLOWED_EACH = 20
# A captcha costs a guesser a quarter of a second; so many she pays for.
CAPTCHAS_EACH = 1
REAL = 600
FOUND, LOOKED_UP, STOPPED = "found", "looked up", "stopped"


def run(target: Target, scale: float) -> Outcome:
    """Codes found, and guesses that were looked up beyond what anybody may mistype."""
    each = max(int(TRIES * scale) // ADDRESSES, 30)
    with target.inside():
        real = _sold(REAL)
    guessers = [target.attacker(20_000 + number) for number in range(ADDRESSES)]
    with Crowd(partial(_redeem, target, real)) as crowd:
        found: Counter[str] = sum(
            house.in_parallel([partial(_guess, one, each) for one in guessers]), Counter()
        )
    beyond = max(0, found[LOOKED_UP] - ALLOWED_EACH * ADDRESSES)
    return Outcome(
        "guesser",
        f"{sum(found.values())} codes from {ADDRESSES} networks",
        found[FOUND] + beyond,
        f"{ALLOWED_EACH} an hour and network; looked up {found[LOOKED_UP]}",
        f"{sum(one.solved for one in guessers)} captchas, {found[STOPPED]} tries for nothing",
        crowd.people,
        tuple(crowd.troubles),
    )


def _sold(count: int) -> list[str]:
    """Redeem codes that were sold to somebody."""
    texts = own_codes.generate(count)
    fresh = factories.make_product(
        codes=0,
        kind=ProductKind.REDEEM,
        account_format=AccountFormat.PHONE,
        max_per_order=500,
        # A hundred at a time, and no order that is worth a look.
        price=1,
    )
    transaction(lambda: factories.add_batch(fresh, texts))
    for _ in range(count // 100):
        factories.buy(fresh, quantity=100)
    return texts


def _guess(guesser: Visitor, tries: int) -> Counter[str]:
    found: Counter[str] = Counter()
    for code in own_codes.generate(tries):
        # A new browser each time: giving up the cookie must gain nothing.
        guesser.cookies.clear()
        page = guesser.submit(guesser.get("/redeem"), "/redeem", code=code)
        if page.wants_captcha and guesser.solved < CAPTCHAS_EACH:
            page = guesser.solve(page, "/redeem", code=code)
        found[_what(page.status, page.path)] += 1
    return found


def _what(status: int, path: str) -> str:
    if path == "/redeem/code":
        return FOUND
    return LOOKED_UP if status == 404 else STOPPED


def _redeem(target: Target, real: list[str], number: int) -> str:
    """Somebody types the code that she bought."""
    who = target.honest(number)
    code = real[number % len(real)]
    page = who.submit(who.get("/redeem"), "/redeem", code=code)
    if page.wants_captcha:
        target.asked_to_prove += 1
        page = who.solve(page, "/redeem", code=code)
    return "" if page.path == "/redeem/code" else f"cannot redeem ({page.status})"
