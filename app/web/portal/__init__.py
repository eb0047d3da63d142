"""The portal: what a distributor sees of her money, drawn for a phone first."""

from flask import Blueprint

from app.web.portal import (
    application,
    balance,
    deliveries,
    earnings,
    holder,
    home,
    invoices,
    payout_accounts,
    prices,
    profile,
    purchases,
    second_factor,
    share,
    statements,
    tax_profile,
    team,
    top_ups,
    withdrawals,
)

portal = Blueprint("portal", __name__)
for part in (
    application,
    home,
    earnings,
    share,
    team,
    balance,
    top_ups,
    prices,
    purchases,
    deliveries,
    withdrawals,
    payout_accounts,
    statements,
    tax_profile,
    invoices,
    profile,
    second_factor,
):
    portal.register_blueprint(part.routes)
portal.context_processor(lambda: {"is_balance_low": holder.is_balance_low})
