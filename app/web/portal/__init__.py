"""The portal: what a distributor sees of her money, drawn for a phone first."""

from flask import Blueprint

from app.web.portal import (
    application,
    earnings,
    home,
    invoices,
    payout_accounts,
    profile,
    second_factor,
    share,
    statements,
    tax_profile,
    team,
    withdrawals,
)

portal = Blueprint("portal", __name__)
for part in (
    application,
    home,
    earnings,
    share,
    team,
    withdrawals,
    payout_accounts,
    statements,
    tax_profile,
    invoices,
    profile,
    second_factor,
):
    portal.register_blueprint(part.routes)
