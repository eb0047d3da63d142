"""The provider's web application and the process it runs in."""

import os
from dataclasses import replace
from pathlib import Path

from flask import Flask, Response
from jinja2 import StrictUndefined

from app.core.crypto import Secret
from app.outside.assets import ROOT
from app.outside.process import Process
from app.simulator import control, fulu, pages, plain
from app.simulator.conditions import Conditions
from app.simulator.provider import SHORTEST_KEY, Provider

# Calls that are slow or silent keep a thread each: many at a time must not keep others waiting.
THREADS = 128
BODY_LIMIT = 64 * 1024


def create(data: Path, merchant: str, key: str, fulu_notify_url: str = "") -> Flask:
    """The provider of one merchant; raises ValueError without a merchant or with a short key.

    `fulu_notify_url`, if given, is where Fulu's callbacks go from now on.
    """
    if not merchant or len(key) < SHORTEST_KEY:
        raise ValueError(f"the simulator needs a merchant and a key of {SHORTEST_KEY} characters")
    app = Flask("simulator", template_folder=str(ROOT / "templates"), static_folder=None)
    app.jinja_env.undefined = StrictUndefined
    app.config["MAX_CONTENT_LENGTH"] = BODY_LIMIT
    provider = Provider.open(data, merchant, Secret(key))
    if fulu_notify_url:
        with provider.record.unit() as db:
            replace(Conditions.now(db), fulu_notify_url=fulu_notify_url).hold(db)
    app.config["PROVIDER"], app.config["CALLER"] = provider, provider.caller
    for part in (plain, fulu, control, pages):
        app.register_blueprint(part.routes)
    app.add_url_rule("/healthz", "healthz", lambda: Response("ok", mimetype="text/plain"))
    return app


def process(host: str, port: int, data: Path) -> Process:
    """It, about to listen there; its account with the merchant is in the environment."""

    def make() -> Flask:
        account = (os.environ["SIMULATOR_MERCHANT"], os.environ["SIMULATOR_KEY"])
        return create(data, *account, os.environ.get("SIMULATOR_NOTIFY_URL", ""))

    return Process("simulator", f"{host}:{port}", THREADS, make)
