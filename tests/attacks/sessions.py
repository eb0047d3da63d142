"""Cookies that were planted, copied, kept or made up: what they still open."""

import base64
import json
from dataclasses import dataclass

from tests import factories, people
from tests.attacks import target as house
from tests.attacks.outcome import Outcome, control
from tests.attacks.target import Target
from tests.attacks.visitor import Visitor

PROFILE, CONSOLE, DOOR = "/account", "/admin/people", "/account/sign-in"
ANOTHER = "another horse battery 8"
IN_HAND = "orders"


@dataclass(frozen=True)
class Try:
    """A cookie that somebody came by: whether it opened something as long as it was good, and
    whether it opens anything that it must not."""

    was_good: bool
    opens: bool


def run(target: Target, _scale: float) -> Outcome:
    """Cookies that open what they must not."""
    found: dict[str, Try] = {}
    for number, attack in enumerate(ATTACKS):
        contact = f"session{number}@example.com"
        with target.inside():
            people.make(contact=contact)
        found[attack.__name__.replace("_", " ").strip()] = attack(target, contact)
    for name, one in found.items():
        control(one.was_good, f"{name}: the cookie is good as long as it may be")
    through = [name for name, one in found.items() if one.opens]
    return Outcome(
        "cookies",
        f"{len(found)} ways: {'; '.join(found)}",
        len(through),
        "none opens anything",
        "a copy of a cookie",
        control(found, "each opens what it should, while it should"),
    )


def _copied_before_sign_out(target: Target, contact: str) -> Try:
    victim = _signed_in(target, contact)
    thief = target.attacker(15_001).with_cookies_of(victim)
    was_good = _opens(thief, PROFILE)
    victim.submit(victim.get(PROFILE), "/account/session/deletion")
    return Try(was_good, _opens(thief, PROFILE))


def _copied_before_a_new_password(target: Target, contact: str) -> Try:
    """In this browser and in another one."""
    victim, other = _signed_in(target, contact), _signed_in(target, contact)
    thief = target.attacker(15_002).with_cookies_of(victim)
    was_good = _opens(thief, PROFILE) and _opens(other, PROFILE)
    page = victim.get(PROFILE)
    victim.submit(page, "/account/password", current=people.PASSWORD, password=ANOTHER)
    stays = _opens(victim, PROFILE)
    return Try(was_good and stays, _opens(thief, PROFILE) or _opens(other, PROFILE))


def _ended_from_another_browser(target: Target, contact: str) -> Try:
    victim, thief = _signed_in(target, contact), _signed_in(target, contact)
    was_good = _opens(thief, PROFILE)
    victim.submit(victim.get(PROFILE), "/account/sessions/deletion")
    return Try(was_good and _opens(victim, PROFILE), _opens(thief, PROFILE))


def _planted_before_sign_in(target: Target, contact: str) -> Try:
    """The attacker's visit, and a session that he made up, in the victim's browser."""
    attacker = target.attacker(15_003)
    attacker.get(DOOR)
    attacker.cookies["sid"] = "planted" * 7
    victim = target.honest(15_003).with_cookies_of(attacker)
    victim.sign_in(contact, people.PASSWORD)
    return Try(_opens(victim, PROFILE), _opens(attacker, PROFILE))


def _planted_with_a_session_of_his(target: Target, contact: str) -> Try:
    """His own account's session; when she has signed in over it, it is nobody's."""
    with target.inside():
        people.make(contact="planter@example.com")
    attacker = _signed_in(target, "planter@example.com")
    was_good = _opens(attacker, PROFILE)
    victim = target.honest(15_004).with_cookies_of(attacker)
    page = victim.get(PROFILE)
    victim.forget_session()
    door = victim.get(DOOR)
    victim.cookies = attacker.cookies | victim.cookies
    victim.post(DOOR, door.form(DOOR).fields | {"contact": contact, "password": people.PASSWORD})
    shows_hers = page.text != victim.get(PROFILE).text
    return Try(was_good and shows_hers, _opens(attacker, PROFILE))


def _of_staff_without_the_second_factor(target: Target, _contact: str) -> Try:
    """Who knows an owner's password has half of what it takes."""
    who = target.shop.demo["admin"]
    owner = target.honest(15_005)
    page = owner.sign_in(who["login"], who["password"])
    thief = target.attacker(15_005).with_cookies_of(owner)
    half = _opens(thief, CONSOLE) or _opens(thief, PROFILE)
    owner.submit(page, "/admin/second-factor", totp=target.shop.one_time_code())
    return Try(_opens(owner, CONSOLE), half or _opens(thief, CONSOLE))


def _of_another_role(target: Target, contact: str) -> Try:
    """A buyer's good session at the staff's door."""
    buyer = _signed_in(target, contact)
    return Try(_opens(buyer, PROFILE), _opens(buyer, CONSOLE))


def _made_up_from_an_own_order(target: Target, _contact: str) -> Try:
    """The cookie that says which orders a browser may open, with another's number in it."""
    with target.inside():
        wanted = house.product(5)
        own = factories.place(wanted)
        own_number, token = own.order.number, own.token
        number = factories.buy(wanted).number
    thief = target.attacker(15_006)
    thief.get(f"/o/{token}")
    was_good = thief.get(f"/orders/{own_number}").shows("order-state")
    payload, _, signature = thief.cookies[IN_HAND].strip('"').rpartition(".")
    control(own_number in _read(payload), "the cookie holds the numbers of orders")
    opens = False
    for changed in (f"{_packed([number])}.{signature}", f"{_packed([number])}.", _packed([number])):
        thief.cookies[IN_HAND] = changed
        opens |= thief.get(f"/orders/{number}").shows("order-state")
    return Try(was_good, opens)


ATTACKS = (
    _copied_before_sign_out,
    _copied_before_a_new_password,
    _ended_from_another_browser,
    _planted_before_sign_in,
    _planted_with_a_session_of_his,
    _of_staff_without_the_second_factor,
    _of_another_role,
    _made_up_from_an_own_order,
)


def _signed_in(target: Target, contact: str) -> Visitor:
    browser = target.honest(15_000)
    browser.sign_in(contact, people.PASSWORD)
    return browser


def _opens(browser: Visitor, path: str) -> bool:
    """Whether the page is there, and not the door in front of it."""
    page = browser.get(path)
    return page.status == 200 and page.path == path


def _read(payload: str) -> list[str]:
    """What itsdangerous packed, as long as it is too short to be compressed."""
    found: list[str] = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return found


def _packed(numbers: list[str]) -> str:
    return base64.urlsafe_b64encode(json.dumps(numbers).encode()).decode().rstrip("=")
