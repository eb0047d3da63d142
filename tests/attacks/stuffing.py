"""Names and passwords that leaked elsewhere, tried here: most are wrong, the last one is right.

It comes when its network has long been told to wait: who must wait is not heard, right or wrong.
"""

from collections import Counter
from functools import partial

from app.domain.accounts.rules import PATIENCE
from tests import people
from tests.attacks import target as house
from tests.attacks.crowd import Crowd
from tests.attacks.outcome import Outcome, control
from tests.attacks.target import Target, in_parallel
from tests.attacks.visitor import Visitor

ACCOUNTS = 200
ADDRESSES = 20
TRIES_EACH = 100
# Tries at one account that are heard before each has to wait, and at a network's accounts.
OPENED, HEARD, STOPPED = "opened", "heard", "stopped"
WRONG = "correct horse battery 7"


def run(target: Target, scale: float) -> Outcome:
    """Accounts opened by wrong passwords, and guesses heard beyond what a network may make."""
    # Enough that a network is stopped before it comes to the right one.
    tries = max(int(TRIES_EACH * scale), _free_tries() + 10)
    networks = max(int(ADDRESSES * scale), 2)
    with target.inside():
        logins = [_account(f"stuffed{number}@example.com") for number in range(ACCOUNTS)]
        people.make(contact="honest@example.com")
    bots = [target.attacker(30_000 + number) for number in range(networks)]
    with Crowd(partial(_sign_in, target), house.crowd_of(scale)) as crowd:
        found: list[Counter[str]] = in_parallel(
            [partial(_try, bot, _pairs(logins, start, tries)) for start, bot in enumerate(bots)]
        )
    total: Counter[str] = sum(found, Counter())
    fresh = _try(target.attacker(39_999), _pairs(logins, 0, 2))
    reach = control(
        fresh == {HEARD: 1, OPENED: 1}, "from a fresh network the same list opens its last account"
    )
    beyond = sum(max(0, one[HEARD] - _free_tries()) for one in found)
    return Outcome(
        "credential stuffing",
        f"{sum(total.values())} passwords at {ACCOUNTS} accounts from {networks} networks",
        total[OPENED] + beyond,
        f"{_free_tries()} a network, then ever slower; heard {total[HEARD]}",
        f"{total[STOPPED]} tries for nothing",
        reach,
        crowd.people,
        tuple(crowd.troubles),
    )


def _free_tries() -> int:
    """What a network may get wrong before it waits, and a few that the wait lets through."""
    return PATIENCE["network"].free + 10


def _account(contact: str) -> str:
    people.make(contact=contact)
    return contact


def _pairs(logins: list[str], start: int, tries: int) -> list[tuple[str, str]]:
    """A part of the list that begins somewhere else for each network; the last one is right."""
    tried = [logins[(start * tries + number) % len(logins)] for number in range(tries)]
    wrong = [f"{WRONG}{number}" for number in range(tries - 1)]
    return list(zip(tried, [*wrong, people.PASSWORD], strict=True))


def _try(bot: Visitor, pairs: list[tuple[str, str]]) -> Counter[str]:
    found: Counter[str] = Counter()
    page = bot.get("/account/sign-in")
    for login, password in pairs:
        page = bot.submit(page, "/account/sign-in", contact=login, password=password)
        if page.path != "/account/sign-in":
            found[OPENED] += 1
            bot.cookies.clear()
            page = bot.get("/account/sign-in")
        else:
            found[STOPPED if page.status == 429 else HEARD] += 1
            if not page.has_form("/account/sign-in"):
                page = bot.get("/account/sign-in")
    return found


def _sign_in(target: Target, number: int) -> str:
    page = target.honest(number).sign_in("honest@example.com", people.PASSWORD)
    return "" if page.path != "/account/sign-in" else f"cannot sign in ({page.status})"
