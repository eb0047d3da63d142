"""The shop's keys, for its owner: where it stands, and what to run on the server to change them."""

from flask import Blueprint, Response, current_app

from app.domain.vault import key_queries
from app.domain.vault.rotation_models import RotationState
from app.settings import Settings
from app.web.access import staff
from app.web.render import render

routes = Blueprint("keys", __name__)


@routes.get("/admin/keys")
@staff("keys.view")
def show() -> Response:
    """No button: a new master key is a matter of the machine, and of a copy kept elsewhere."""
    settings: Settings = current_app.config["SETTINGS"]
    return render(
        "admin/keys.html",
        master_keys=key_queries.master_keys(),
        rotation=key_queries.latest_rotation(),
        states=RotationState,
        strays=key_queries.count_under_others(),
        is_by_hand=bool(settings.master_keys),
    )
