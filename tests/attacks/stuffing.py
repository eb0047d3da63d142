"""Names and passwords that leaked elsewhere, tried here: most are wrong, some are right."""

from collections import Counter
from functools import partial

from tests import people
from tests.attacks.crowd import Crowd
from tests.attacks.outcome import Outcome
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
    tries = max(int(TRIES_EACH * scale), 40)
    with target.inside():
        logins = [
            people.make(contact=f"stuffed{number}@example.com").id
            and f"stuffed{number}@example.com"
            for number in range(ACCOUNTS)
        ]
        people.make(contact="honest@example.com")
    bots = [target.attacker(30_000 + number) for number in range(ADDRESSES)]
    with Crowd(partial(_sign_in, target)) as crowd:
        found: Counter[str] = sum(
            in_parallel(
                [partial(_try, bot, logins, start, tries) for start, bot in enumerate(bots)]
            ),
            Counter(),
        )
    allowed = ADDRESSES * _free_tries()
    return Outcome(
        "credential stuffing",
        f"{sum(found.values())} passwords at {ACCOUNTS} accounts from {ADDRESSES} networks",
        found[OPENED] + max(0, found[HEARD] - allowed),
        f"{_free_tries()} a network, then ever slower; heard {found[HEARD]}",
        f"{found[STOPPED]} tries for nothing",
        crowd.people,
        tuple(crowd.troubles),
    )


def _free_tries() -> int:
    """What a network may get wrong before it waits, and a few that the wait lets through."""
    from app.domain.accounts.rules import PATIENCE

    return PATIENCE["network"].free + 10


def _try(bot: Visitor, logins: list[str], start: int, tries: int) -> Counter[str]:
    found: Counter[str] = Counter()
    page = bot.get("/account/sign-in")
    for number in range(tries):
        login = logins[(start * tries + number) % len(logins)]
        page = bot.submit(page, "/account/sign-in", contact=login, password=f"{WRONG}{number}")
        if page.path != "/account/sign-in":
            found[OPENED] += 1
            bot.cookies.clear()
            page = bot.get("/account/sign-in")
        else:
            found[STOPPED if page.status == 429 else HEARD] += 1
            if page.status == 429:
                page = bot.get("/account/sign-in")
    return found


def _sign_in(target: Target, number: int) -> str:
    who = target.honest(number)
    page = who.submit(
        who.get("/account/sign-in"),
        "/account/sign-in",
        contact="honest@example.com",
        password=people.PASSWORD,
    )
    return "" if page.path != "/account/sign-in" else f"cannot sign in ({page.status})"
