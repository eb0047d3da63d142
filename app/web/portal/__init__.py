"""The portal: what a distributor sees, drawn for a phone."""

from flask import Blueprint

from app.web.portal import (
    invoices,
    payout_accounts,
    statements,
    tax_profile,
    withdrawals,
)

portal = Blueprint("portal", __name__)
for part in (withdrawals, payout_accounts, statements, tax_profile, invoices):
    portal.register_blueprint(part.routes)
