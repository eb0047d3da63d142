"""`bin/attack [--scale S] [--postgres] [name…]`: attacks one after the other on a running shop."""

import argparse
import importlib
import sys
from collections import Counter

from tests.attacks import target
from tests.attacks.outcome import ControlFailed, Outcome, as_table
from tests.attacks.target import Target

ATTACKS = (
    *("hoarding", "crew", "guessing", "stuffing", "enumeration"),
    *("forgery", "staff_leak", "ssrf", "formulas"),
    *("double_use", "double_payment", "double_withdrawal"),
    *("sessions", "extra_fields", "traversal"),
)


def main() -> int:
    parser = argparse.ArgumentParser(prog="bin/attack", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help=", ".join(ATTACKS))
    parser.add_argument("--scale", type=float, default=1.0, help="1: as large as they are stated")
    parser.add_argument("--postgres", action="store_true", help="on PostgreSQL, not on SQLite")
    arguments = parser.parse_args()
    unknown = set(arguments.names) - set(ATTACKS)
    if unknown:
        parser.error(f"there is no {', '.join(unknown)}; there are {', '.join(ATTACKS)}")
    outcomes: list[Outcome] = []
    with target.running(on_postgres=arguments.postgres) as shop:
        for name in arguments.names or ATTACKS:
            print(f"{name} …", flush=True)
            try:
                outcomes.append(_play(shop, name, arguments.scale))
            except ControlFailed as failed:
                print(f"\n{name} attacks nothing any more. Not so: {failed}", file=sys.stderr)
                return 2
    if len(outcomes) > 1:
        print(as_table(outcomes))
    return 0 if all(outcome.holds for outcome in outcomes) else 1


def _play(shop: Target, name: str, scale: float) -> Outcome:
    """One attack, and what there is to say of it at once."""
    shop.asked_to_prove = 0
    outcome: Outcome = importlib.import_module(f"tests.attacks.{name}").run(shop, scale)
    print(f"\n{as_table([outcome])}\n", flush=True)
    if shop.asked_to_prove:
        print(f"  {shop.asked_to_prove} of the honest solved a captcha and went on")
    for trouble in outcome.troubles[:5]:
        print(f"  troubled: {trouble}")
    if outcome.neighbours is not None:
        for whom, met in vars(outcome.neighbours).items():
            for trouble, count in Counter(met.troubles).most_common(5):
                print(f"  {whom} at its addresses: {count} times {trouble}")
    return outcome


if __name__ == "__main__":
    sys.exit(main())
