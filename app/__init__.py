"""Hardshelf: a self-hosted shop for virtual goods."""

import gc

# Nothing of what is imported is garbage: to look for some took a seventh of the time to start.
gc.disable()

from functools import partial
from pathlib import Path

from flask import Flask

from app import cli, key_commands, logs, web
from app.core import bell, db, keys, outbox
from app.core.crypto import load_key_ring
from app.domain.channels import terms
from app.domain.ledger import service as ledger
from app.domain.messages import alerts
from app.domain.messages import service as messages
from app.domain.recharges import providers as recharge_providers
from app.domain.risk import live_rules
from app.providers import messages as senders
from app.providers import payments, payouts
from app.settings import Settings
from app.web import messages as words

gc.freeze()
gc.enable()

ROOT = Path(__file__).parent.parent


def create_app(settings: Settings | None = None) -> Flask:
    """Make the shop. Nothing is connected to before it is used, so a worker may fork."""
    settings = settings or Settings.from_environment()
    app = Flask(
        __name__, template_folder=str(ROOT / "templates"), static_folder=str(ROOT / "static")
    )
    app.config["SETTINGS"] = settings
    db.connect(app, settings.database_url)
    web.init_app(app, settings)
    cli.init_app(app)
    key_commands.init_app(app)
    connect(app)
    return app


def connect(app: Flask) -> None:
    """Let this process work for this shop: with its keys, its queue, its ways to the outside."""
    settings: Settings = app.config["SETTINGS"]
    logs.configure(settings.log_level)
    ledger.forget()
    terms.forget()
    live_rules.forget()
    keys.connect(partial(load_key_ring, settings.master_keys, settings.master_key_file))
    outbox.connect(bell.RqBell(settings.redis_url))
    payments.connect(settings)
    payouts.connect(settings)
    recharge_providers.connect(settings)
    senders.connect(settings)
    messages.connect(words.writer(app, settings.base_url))
    alerts.connect(words.alert_writer(app, settings.base_url))
