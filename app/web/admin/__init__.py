"""The console: what staff see, drawn for a desk and usable on a phone."""

from flask import Blueprint

from app.web.admin import (
    audit,
    batches,
    categories,
    console,
    counter,
    distributors,
    generations,
    health,
    home,
    imports,
    offers,
    orders,
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
    tiers,
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
    distributors,
    tiers,
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
