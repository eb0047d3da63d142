"""Where payment channels call back."""

from flask import Blueprint

from app.web.hooks import payments

hooks = Blueprint("hooks", __name__)
hooks.register_blueprint(payments.routes)
