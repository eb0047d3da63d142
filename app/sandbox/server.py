"""The channel's web application and the process it runs in."""

import os
from pathlib import Path
from typing import Any

from flask import Flask, Response
from gunicorn.app.base import BaseApplication
from jinja2 import StrictUndefined

from app.core.processes import die_with_parent
from app.providers.payments import signing
from app.sandbox import api, control, pages
from app.sandbox.channel import Channel

ROOT = Path(__file__).parent.parent.parent
THREADS = 32
KEEP_ALIVE = 10


def create(data: Path, merchant: str, key: str) -> Flask:
    """The channel of one merchant; raises ValueError without a merchant or a key."""
    if not merchant:
        raise ValueError("the sandbox channel needs a merchant")
    app = Flask("sandbox", template_folder=str(ROOT / "templates"), static_folder=None)
    app.jinja_env.undefined = StrictUndefined
    app.config["CHANNEL"] = Channel.open(data, merchant, signing.keys_of(key))
    for part in (pages, api, control):
        app.register_blueprint(part.routes)
    app.add_url_rule("/healthz", "healthz", lambda: Response("ok", mimetype="text/plain"))
    return app


class Process(BaseApplication):
    """gunicorn with one worker, so that its threads share the connection and the callers."""

    def __init__(self, host: str, port: int, data: Path) -> None:
        self._address = f"{host}:{port}"
        self._data = data
        super().__init__()

    def load_config(self) -> None:
        settings: dict[str, Any] = {
            "bind": self._address,
            "worker_class": "gthread",
            "workers": 1,
            "threads": THREADS,
            "keepalive": KEEP_ALIVE,
            "graceful_timeout": 3,
            "loglevel": "warning",
            "proc_name": "sandbox",
            "control_socket_disable": True,
            "post_fork": lambda _server, _worker: die_with_parent(),
        }
        for name, value in settings.items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        return create(self._data, os.environ["SANDBOX_MERCHANT"], os.environ["SANDBOX_KEY"])
