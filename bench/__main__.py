"""`bin/bench [--scale S] [--write] [name…]`: the figures, beside what the machine can do."""

import argparse
import importlib
import platform
from pathlib import Path

from app.core import clock
from bench.table import Figure, as_table

BENCHES = (
    *("orders", "pages", "imports", "lookup", "race", "recharges", "redemptions"),
    *("commissions", "portal", "rotation", "risk"),
)
RESULTS = Path(__file__).parent / "results.md"


def main() -> None:
    parser = argparse.ArgumentParser(prog="bin/bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help=", ".join(BENCHES))
    parser.add_argument("--scale", type=float, default=1.0, help="1: as the figures are stated")
    parser.add_argument("--write", action="store_true", help=f"write {RESULTS.name}")
    arguments = parser.parse_args()
    unknown = set(arguments.names) - set(BENCHES)
    if unknown:
        parser.error(f"there is no {', '.join(unknown)}; there are {', '.join(BENCHES)}")
    figures: list[Figure] = []
    for name in arguments.names or BENCHES:
        print(f"{name} …", flush=True)
        found = importlib.import_module(f"bench.{name}").run(arguments.scale)
        # At once, so that a bench which fails takes no other's figures with it.
        print(f"\n{as_table(found)}\n", flush=True)
        figures += found
    table = as_table(figures)
    if arguments.write:
        head = f"Measured on {clock.now():%Y-%m-%d}, {platform.processor() or platform.machine()}, "
        RESULTS.write_text(f"# What it does\n\n{head}2 cores, by `bin/bench`.\n\n{table}\n")


if __name__ == "__main__":
    main()
