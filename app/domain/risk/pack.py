"""The rules a shop begins with: the three of the brief switched on, the others watching only.

Numbers R1 to R20 are those of `field-notes.md` §4. What a shop changed stays as it changed it:
installing again adds what is new and touches nothing.
"""

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from app.core.db import require_transaction, session
from app.domain.risk import pruning
from app.domain.risk.models import Action, Checkpoint, Key, Rule, RuleMode
from app.domain.risk.rule_changes import write_version

DAY = 24 * 60


@dataclass(frozen=True)
class Preset:
    """A rule as it is delivered. `minutes` and `on_key` for what it puts on somebody."""

    slug: str
    checkpoint: Checkpoint
    condition: dict[str, Any]
    action: Action
    mode: RuleMode = RuleMode.SHADOW
    minutes: int = 0
    on_key: Key | None = None
    score: int = 0


def _count(
    function: str, kind: str, by: str, minutes: int, at_least: int, of: str = ""
) -> dict[str, Any]:
    asked = {function: kind, "by": by, "minutes": minutes, "at_least": at_least}
    return asked | ({"of": of} if of else {})


PACK = (
    # R1. An office or a dormitory behind one address orders five things in ten minutes on a good
    # day, and then only has to let a machine work for a second.
    Preset(
        "many_orders_captcha",
        Checkpoint.CHECKOUT,
        _count("count", "placed", "ip", 10, 5),
        Action.CAPTCHA,
        RuleMode.ON,
    ),
    # Ten that nobody paid are no crowd of buyers.
    Preset(
        "many_orders_limit",
        Checkpoint.CHECKOUT,
        _count("unpaid", "placed", "ip", 10, 10),
        Action.LIMIT,
        RuleMode.ON,
        minutes=60,
        on_key=Key.IP,
    ),
    # R6, R7. A guest's account is as old as her first order with this contact.
    Preset(
        "new_account_high_value",
        Checkpoint.PAID,
        {"all": [{"fact": "account_age", "below": 24}, {"fact": "amount", "at_least": 50_000}]},
        Action.HOLD,
        RuleMode.ON,
    ),
    # In parts, or under other names, it is the same money.
    Preset(
        "new_account_in_parts",
        Checkpoint.PAID,
        {
            "all": [
                {"fact": "account_age", "below": 24},
                {
                    "any": [
                        _count("sum", "paid", key, DAY, 50_000)
                        for key in ("contact", "device", "payer")
                    ]
                },
            ]
        },
        Action.HOLD,
        RuleMode.ON,
    ),
    # R3. By whichever is known of the guesser, so that giving up the cookie gains nothing.
    Preset(
        "wrong_codes_captcha",
        Checkpoint.REDEEM,
        {
            "any": [
                _count("count", "wrong_code", "device", 10, 5),
                _count("count", "wrong_code", "account", 10, 5),
                _count("count", "wrong_code", "network", 10, 5),
            ]
        },
        Action.CAPTCHA,
        RuleMode.ON,
    ),
    # Many addresses, few codes each: while that goes on, everybody proves that a machine worked for
    # a second, which is nothing to a buyer and a day's work for a guesser.
    Preset(
        "wrong_codes_everywhere",
        Checkpoint.REDEEM,
        {"fact": "wrong_codes_everywhere", "at_least": 300},
        Action.CAPTCHA,
        RuleMode.ON,
    ),
    *(
        Preset(
            f"wrong_codes_lock_{key.value}",
            Checkpoint.REDEEM,
            _count("count", "wrong_code", key.value, 60, 20),
            Action.BLOCK,
            RuleMode.ON,
            minutes=60,
            on_key=key,
        )
        for key in (Key.DEVICE, Key.ACCOUNT, Key.IP)
    ),
    # R2. One actor sits on stock that others want to buy.
    Preset(
        "hoarding_device",
        Checkpoint.CHECKOUT,
        _count("unpaid", "placed", "device", 60, 5),
        Action.LIMIT,
        minutes=60,
        on_key=Key.DEVICE,
    ),
    Preset(
        "hoarding_network",
        Checkpoint.CHECKOUT,
        _count("unpaid", "placed", "network", 60, 30),
        Action.CAPTCHA,
    ),
    # The same browsers of one network, their cookies thrown away each time.
    Preset(
        "hoarding_look",
        Checkpoint.CHECKOUT,
        _count("unpaid", "placed", "look", 10, 8),
        Action.CAPTCHA,
    ),
    # One browser, many names: what a coupon crew looks like from here.
    Preset(
        "one_device_many_contacts",
        Checkpoint.CHECKOUT,
        _count("distinct", "placed", "device", DAY, 4, "contact"),
        Action.CAPTCHA,
        score=20,
    ),
    # One name from everywhere: an address a bot hops away from.
    Preset(
        "one_contact_many_networks",
        Checkpoint.CHECKOUT,
        _count("distinct", "placed", "contact", 60, 4, "network"),
        Action.CAPTCHA,
        score=20,
    ),
    # Some who buy for themselves give such an address too: a second of a machine's work, and a few
    # points.
    Preset(
        "disposable_email",
        Checkpoint.CHECKOUT,
        {"fact": "disposable_email", "at_least": 1},
        Action.CAPTCHA,
        score=20,
    ),
    # R15. A payer who buys by the dozen is a reseller, or a stolen account being emptied.
    Preset(
        "payer_many_orders",
        Checkpoint.PAID,
        _count("count", "paid", "payer", 60, 10),
        Action.HOLD,
    ),
    Preset(
        "payer_many_contacts",
        Checkpoint.PAID,
        _count("distinct", "paid", "payer", DAY, 3, "contact"),
        Action.HOLD,
    ),
    # R6. Somebody whom nobody knows buys five times what people buy here.
    Preset(
        "first_order_far_above_usual",
        Checkpoint.PAID,
        {
            "all": [
                {"count": "paid", "by": "contact", "minutes": 30 * DAY, "below": 1},
                {"fact": "percent_of_usual", "at_least": 500},
            ]
        },
        Action.HOLD,
    ),
    # R6. At night nobody looks.
    Preset(
        "night_high_value",
        Checkpoint.PAID,
        {"all": [{"fact": "hour", "below": 6}, {"fact": "amount", "at_least": 30_000}]},
        Action.HOLD,
        score=30,
    ),
    Preset(
        "much_money_in_a_day",
        Checkpoint.PAID,
        _count("sum", "paid", "contact", DAY, 500_000),
        Action.HOLD,
    ),
    # R20. Somebody who is watched is looked at.
    Preset("watched", Checkpoint.PAID, {"fact": "watched", "at_least": 1}, Action.HOLD),
    # R2. Somebody sits on one thing: what is left of it is for whoever lets her machine work.
    Preset(
        "hoarding_product",
        Checkpoint.CHECKOUT,
        _count("unpaid", "placed", "product", 10, 50),
        Action.CAPTCHA,
    ),
    # R1. Who has let five orders lapse within the hour does not want the sixth either.
    Preset(
        "never_pays",
        Checkpoint.CHECKOUT,
        _count("count", "unpaid_closed", "device", 60, 5),
        Action.CAPTCHA,
    ),
    # R4. One code in many hands: it was published, or is being passed round.
    Preset(
        "code_in_many_hands",
        Checkpoint.REDEEM,
        _count("distinct", "typed", "code", DAY, 3, "device"),
        Action.FREEZE,
        minutes=DAY,
        on_key=Key.CODE,
    ),
    # R7. A stolen means of payment is missed within minutes; a day-old account is not worth more.
    Preset(
        "new_account_delay",
        Checkpoint.PAID,
        {"all": [{"fact": "account_age", "below": 1}, {"fact": "amount", "at_least": 30_000}]},
        Action.DELAY,
        minutes=10,
    ),
    # R14. Three payers for one account within a day: it is being sold on, or filled with stolen
    # money.
    Preset(
        "recharge_account_many_payers",
        Checkpoint.PAID,
        _count("distinct", "paid", "recharge_account", DAY, 3, "payer"),
        Action.HOLD,
    ),
    # R13, R15. A seller's customers do not come by the dozen in ten minutes.
    Preset(
        "payer_buys_for_commission",
        Checkpoint.PAID,
        _count("count", "paid", "payer", DAY, 5),
        Action.HOLD_COMMISSION,
        minutes=7 * DAY,
    ),
    # One machine that makes accounts.
    Preset(
        "many_registrations",
        Checkpoint.REGISTER,
        {
            "any": [
                _count("count", "registered", "device", DAY, 3),
                _count("count", "registered", "network", 60, 20),
            ]
        },
        Action.CAPTCHA,
    ),
    # Beside the waiting that grows with each wrong password: who tries many accounts once each.
    Preset(
        "wrong_passwords_captcha",
        Checkpoint.SIGN_IN,
        {
            "any": [
                _count("count", "wrong_password", "device", 10, 5),
                _count("count", "wrong_password", "contact", 10, 5),
                _count("distinct", "wrong_password", "network", 60, 10, "contact"),
            ]
        },
        Action.CAPTCHA,
    ),
    # R8. Nobody looks at her codes from four places within the hour.
    Preset(
        "reveals_from_everywhere",
        Checkpoint.REVEAL,
        _count("distinct", "revealed", "account", 60, 4, "network"),
        Action.NOTIFY,
    ),
    # R9. Money goes where it has never gone: the first thing that somebody does who has got in.
    Preset(
        "new_payout_account",
        Checkpoint.WITHDRAW,
        {"fact": "payout_account_age", "below": 72},
        Action.HOLD,
    ),
    # R10. Several sellers are paid to one account: they may be one person.
    Preset(
        "payout_account_shared",
        Checkpoint.WITHDRAW,
        _count("distinct", "withdrawn", "payout_account", 30 * DAY, 2, "distributor"),
        Action.HOLD,
    ),
    # R12. Sold, paid out, sent back.
    Preset(
        "many_refunds",
        Checkpoint.WITHDRAW,
        {"fact": "refunded_percent", "at_least": 15},
        Action.HOLD,
    ),
    # R13. Orders that a script places as soon as its link is open.
    Preset(
        "hasty_orders",
        Checkpoint.WITHDRAW,
        {"fact": "hasty_percent", "at_least": 50},
        Action.HOLD,
    ),
    # R11. What she buys herself earns nothing; who tries it all the time is worth a look.
    Preset(
        "buys_from_herself",
        Checkpoint.WITHDRAW,
        {"fact": "own_percent", "at_least": 20},
        Action.NOTIFY,
    ),
    Preset(
        "many_payout_accounts",
        Checkpoint.PAYOUT_ACCOUNT,
        _count("count", "payout_account_added", "distributor", DAY, 3),
        Action.NOTIFY,
    ),
)


def install() -> int:
    """Add the rules that are not there yet; how many those were. What they leave is tidied up."""
    require_transaction()
    pruning.watch()
    there = set(session.scalars(sa.select(Rule.slug)))
    missing = [preset for preset in PACK if preset.slug not in there]
    for preset in missing:
        rule = Rule(
            slug=preset.slug,
            state=preset.mode,
            checkpoint=preset.checkpoint,
            condition=preset.condition,
            action=preset.action,
            score=preset.score,
            minutes=preset.minutes,
            on_key=preset.on_key,
        )
        session.add(rule)
        session.flush()
        write_version(rule)
    return len(missing)
