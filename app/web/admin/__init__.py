"""The console: what staff see, drawn for a desk and usable on a phone."""

from flask import Blueprint

from app.web.admin import (
    audit,
    batches,
    categories,
    console,
    counter,
    generations,
    health,
    home,
    imports,
    offers,
    orders,
    payouts,
    people,
    policies,
    products,
    profile,
    providers,
    recharges,
    reveals,
    second_factor,
    settings,
    sign_in,
    solutions,
    statements,
    step_up,
    withdrawals,
)

admin = Blueprint("admin", __name__)
admin.context_processor(lambda: {"console": console.Console()})
for part in (
    sign_in,
    second_factor,
    step_up,
    profile,
    home,
    orders,
    solutions,
    counter,
    products,
    offers,
    policies,
    recharges,
    providers,
    statements,
    withdrawals,
    payouts,
    categories,
    batches,
    imports,
    generations,
    reveals,
    people,
    audit,
    health,
    settings,
):
    admin.register_blueprint(part.routes)
