"""The portal: what a distributor sees, drawn for a phone."""

from flask import Blueprint

from app.web.portal import payout_accounts, withdrawals

portal = Blueprint("portal", __name__)
for part in (withdrawals, payout_accounts):
    portal.register_blueprint(part.routes)
