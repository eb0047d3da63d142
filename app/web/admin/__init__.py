"""The console: what staff see, drawn for a desk and usable on a phone."""

from flask import Blueprint

from app.web.admin import (
    audit,
    batches,
    categories,
    console,
    generations,
    health,
    home,
    imports,
    orders,
    people,
    products,
    profile,
    reveals,
    second_factor,
    settings,
    sign_in,
    step_up,
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
    products,
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
