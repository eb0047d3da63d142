"""A buyer's account: signing in and out, registering, and what the account holds."""

from flask import Blueprint

from app.web.account import people, profile, sessions

account = Blueprint("account", __name__)
for part in (sessions, people, profile):
    account.register_blueprint(part.routes)
