"""The process: gunicorn with one worker, so that its threads share the connection and the callers.

`python -m app.NAME --port P --data FILE`; the account with the merchant comes from the environment.
"""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from flask import Flask
from gunicorn.app.base import BaseApplication
from gunicorn.workers.base import Worker

from app.core.processes import die_with_parent

KEEP_ALIVE = 10


class Process(BaseApplication):
    """Serves what `make` gives, until it is told to stop or its parent goes.

    The application keeps whom it calls back with as `app.config["CALLER"]`.
    """

    def __init__(self, name: str, address: str, threads: int, make: Callable[[], Flask]) -> None:
        self._settings: dict[str, Any] = {
            "bind": address,
            "worker_class": "gthread",
            "workers": 1,
            "threads": threads,
            "keepalive": KEEP_ALIVE,
            "graceful_timeout": 3,
            "loglevel": "warning",
            "proc_name": name,
            "control_socket_disable": True,
            "post_fork": lambda _server, _worker: die_with_parent(),
            "worker_exit": _stop_calling,
        }
        self._make = make
        super().__init__()

    def load_config(self) -> None:
        for name, value in self._settings.items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        return self._make()


def _stop_calling(_server: object, worker: Worker) -> None:
    # There is none when the application could not be made.
    application = getattr(worker, "wsgi", None)
    if application is not None:
        application.config["CALLER"].stop()


def command(
    description: str | None, needed: Sequence[str], process: Callable[[str, int, Path], Process]
) -> None:
    """Read host, port and file from the command line and run; without a needed setting, exit."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--host", default="127.0.0.1")
    arguments = parser.parse_args()
    missing = [name for name in needed if not os.environ.get(name)]
    if missing:
        sys.exit(f"It needs {' and '.join(missing)} in the environment.")
    process(arguments.host, arguments.port, arguments.data).run()
