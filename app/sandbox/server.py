"""The channel's web application and the process it runs in."""

import os
from pathlib import Path

from flask import Flask, Response
from jinja2 import StrictUndefined

from app.outside.assets import ROOT
from app.outside.process import Process
from app.providers.payments import signing
from app.sandbox import api, control, gateway, pages
from app.sandbox.channel import Channel
from app.sandbox.gateway import Keys

THREADS = 32


def create(data: Path, merchant: str, key: str, gateway_keys: Keys | None = None) -> Flask:
    """The channel of one merchant; raises ValueError without a merchant or a key.

    Without `gateway_keys` nobody can be paid through it.
    """
    if not merchant:
        raise ValueError("the sandbox channel needs a merchant")
    app = Flask("sandbox", template_folder=str(ROOT / "templates"), static_folder=None)
    app.jinja_env.undefined = StrictUndefined
    channel = Channel.open(data, merchant, signing.keys_of(key))
    app.config["CHANNEL"], app.config["CALLER"] = channel, channel.caller
    app.config["GATEWAY"] = gateway_keys
    for part in (pages, api, control, gateway):
        app.register_blueprint(part.routes)
    app.add_url_rule("/healthz", "healthz", lambda: Response("ok", mimetype="text/plain"))
    return app


def process(host: str, port: int, data: Path) -> Process:
    """It, about to listen there; its account with the merchant is in the environment."""

    def make() -> Flask:
        own = os.environ.get("SANDBOX_GATEWAY_KEY")
        keys = Keys.read(own, os.environ["SANDBOX_GATEWAY_MERCHANT"]) if own else None
        return create(data, os.environ["SANDBOX_MERCHANT"], os.environ["SANDBOX_KEY"], keys)

    return Process("sandbox", f"{host}:{port}", THREADS, make)
