"""`python -m app.sandbox --port P --data FILE`; its merchant and key come from the environment."""

import argparse
import os
import sys


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--data", required=True)
    parser.add_argument("--host", default="127.0.0.1")
    arguments = parser.parse_args()
    os.environ["SANDBOX_DATA"] = arguments.data
    # One process, so that its threads share the queue of callbacks; exec, so that signals reach it.
    os.execv(sys.executable, [
        sys.executable, "-m", "gunicorn", "app.sandbox.server:create()",
        "--worker-class", "gthread", "--workers", "1", "--threads", "16",
        "--bind", f"{arguments.host}:{arguments.port}", "--no-control-socket",
        "--graceful-timeout", "3", "--log-level", "warning", "--keep-alive", "5",
    ])


if __name__ == "__main__":
    main()
