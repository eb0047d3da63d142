"""Where payment and payout channels and recharge providers call back."""

from flask import Blueprint

from app.web.hooks import payments, payouts, recharges

hooks = Blueprint("hooks", __name__)
for part in (payments, payouts, recharges):
    hooks.register_blueprint(part.routes)
