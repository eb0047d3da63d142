"""A buyer's account: signing in and out, registering, and what the account holds."""

from flask import Blueprint

from app.web.account import invitation, people, profile, sessions

account = Blueprint("account", __name__)
for part in (sessions, people, profile, invitation):
    account.register_blueprint(part.routes)
