"""`python -m app.sandbox --port P --data FILE`; its merchant and key come from the environment."""

import argparse
import os
import sys
from pathlib import Path

from app.sandbox.server import Process


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--host", default="127.0.0.1")
    arguments = parser.parse_args()
    missing = [name for name in ("SANDBOX_MERCHANT", "SANDBOX_KEY") if not os.environ.get(name)]
    if missing:
        sys.exit(f"The sandbox channel needs {' and '.join(missing)} in the environment.")
    Process(arguments.host, arguments.port, arguments.data).run()


if __name__ == "__main__":
    main()
