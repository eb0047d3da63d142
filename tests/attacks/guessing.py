"""Guessers of redeem codes who know how our codes are made: from a hundred networks at once."""

from collections import Counter
from functools import partial

from app.core.db import transaction
from app.domain.catalog.models import ProductKind
from app.domain.catalog.recharge_accounts import AccountFormat
from app.domain.risk import events
from app.domain.risk.models import EventKind, Key
from app.domain.vault import own_codes
from app.web.devices import COOKIE as DEVICE
from tests import factories
from tests.attacks import target as house
from tests.attacks.crowd import Crowd
from tests.attacks.neighbours import Neighbourhood
from tests.attacks.outcome import Outcome, control
from tests.attacks.target import Target
from tests.attacks.visitor import Visitor

TRIES = 10_000
ADDRESSES = 100
# What the rules give to one address in an hour before it is locked out.
ALLOWED_EACH = 20
# A captcha costs a guesser a quarter of a second: most stop at one, some pay till they are locked.
CAPTCHAS = 1
RICH, CAPTCHAS_OF_THE_RICH = 5, 30
REAL = 600
# A captcha is asked for; with 429 she has to wait as well.
ASKED = 422
FOUND, LOOKED_UP, STOPPED = "found", "looked up", "stopped"


def run(target: Target, scale: float) -> Outcome:
    """Codes found, and guesses that were looked up beyond what anybody may mistype."""
    addresses = max(int(ADDRESSES * scale), 3)
    each = TRIES // ADDRESSES
    with target.inside():
        real = _sold(REAL)
        path = house.path_of(house.product(100))
    guessers = [target.attacker(20_000 + number) for number in range(addresses)]
    neighbourhood = Neighbourhood(target, [*map(_beside, guessers[:RICH])], path)
    with target.inside():
        transaction(lambda: [_lock_out(address) for address in neighbourhood.addresses])
    least = house.crowd_of(scale)

    def redeem(who: Visitor, number: int) -> str:
        return _redeem(target, real, who, number)

    with (
        Crowd(lambda number: redeem(target.honest(number), number), least) as crowd,
        neighbourhood.living(redeem, max(least // 3, 3)),
    ):
        found: list[Counter[str]] = house.in_parallel(
            [
                partial(_guess, one, own_codes.generate(each), _patience(number))
                for number, one in enumerate(guessers)
            ]
        )
    total: Counter[str] = sum(found, Counter())
    reach = control(
        _guess(target.attacker(29_999), [*own_codes.generate(2), real[-1]], CAPTCHAS_OF_THE_RICH)
        == {LOOKED_UP: 2, FOUND: 1},
        "who types a right one after two wrong ones finds it",
    )
    control(total[LOOKED_UP], "guesses are looked up")
    beyond = sum(max(0, one[LOOKED_UP] - ALLOWED_EACH) for one in found)
    return Outcome(
        "guesser",
        f"{sum(total.values())} codes from {addresses} networks",
        total[FOUND] + beyond,
        f"{ALLOWED_EACH} an hour and network; looked up {total[LOOKED_UP]}",
        f"{sum(one.solved for one in guessers)} captchas, {total[STOPPED]} tries for nothing",
        reach,
        crowd.people,
        tuple(crowd.troubles),
        neighbourhood.met,
    )


def _patience(number: int) -> int:
    """How many captchas a guesser solves before she gives up on them."""
    return CAPTCHAS_OF_THE_RICH if number < RICH else CAPTCHAS


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


def _guess(guesser: Visitor, codes: list[str], captchas: int) -> Counter[str]:
    """What became of the codes, each typed in a new browser: giving up the cookie that tells one
    from another must gain nothing. The form's token she keeps, which halves her work."""
    found: Counter[str] = Counter()
    form = guesser.get("/redeem")
    for code in codes:
        guesser.cookies.pop(DEVICE, None)
        page = guesser.submit(form, "/redeem", code=code)
        if page.status == ASKED and guesser.solved < captchas:
            page = guesser.solve(page, "/redeem", code=code)
        found[_what(page.status, page.path)] += 1
    return found


def _what(status: int, path: str) -> str:
    if path == "/redeem/code":
        return FOUND
    return LOOKED_UP if status == 404 else STOPPED


def _beside(guesser: Visitor) -> str:
    """Another address of the same network."""
    return f"{guesser.address.rpartition('.')[0]}.8"


def _lock_out(address: str) -> None:
    """What a guesser who waits as often as he is told to does to an address in half an hour."""
    whose = events.hashed({Key.IP: address})
    for _ in range(ALLOWED_EACH):
        events.record(EventKind.WRONG_CODE, whose)


def _redeem(target: Target, real: list[str], who: Visitor, number: int) -> str:
    """Somebody types the code that she bought."""
    code = real[number % (len(real) - 1)]
    page = who.submit(who.get("/redeem"), "/redeem", code=code)
    if page.wants_captcha:
        target.asked_to_prove += 1
        page = who.solve(page, "/redeem", code=code)
    return "" if page.path == "/redeem/code" else f"cannot redeem ({page.status})"
