"""`bin/attack [--scale S] [name…]`: the attacks one after the other on one running shop."""

import argparse
import importlib
import sys

from tests.attacks import target
from tests.attacks.outcome import Outcome, as_table

ATTACKS = (
    *("hoarding", "crew", "guessing", "stuffing", "enumeration"),
    *("forgery", "staff_leak", "ssrf", "formulas"),
)


def main() -> int:
    parser = argparse.ArgumentParser(prog="bin/attack", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help=", ".join(ATTACKS))
    parser.add_argument("--scale", type=float, default=1.0, help="1: as large as they are stated")
    arguments = parser.parse_args()
    unknown = set(arguments.names) - set(ATTACKS)
    if unknown:
        parser.error(f"there is no {', '.join(unknown)}; there are {', '.join(ATTACKS)}")
    outcomes: list[Outcome] = []
    with target.running() as shop:
        for name in arguments.names or ATTACKS:
            print(f"{name} …", flush=True)
            shop.asked_to_prove = 0
            outcome = importlib.import_module(f"tests.attacks.{name}").run(shop, arguments.scale)
            print(f"\n{as_table([outcome])}\n", flush=True)
            if shop.asked_to_prove:
                print(f"  {shop.asked_to_prove} of the honest solved a captcha and went on")
            for trouble in outcome.troubles[:5]:
                print(f"  troubled: {trouble}")
            outcomes.append(outcome)
    print(as_table(outcomes))
    return 0 if all(outcome.holds for outcome in outcomes) else 1


if __name__ == "__main__":
    sys.exit(main())
