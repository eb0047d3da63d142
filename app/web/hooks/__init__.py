"""Where payment channels and recharge providers call back."""

from flask import Blueprint

from app.web.hooks import payments, recharges

hooks = Blueprint("hooks", __name__)
for part in (payments, recharges):
    hooks.register_blueprint(part.routes)
