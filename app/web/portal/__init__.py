"""The portal: what a distributor sees, drawn for a phone."""

from flask import Blueprint

from app.web.portal import share

portal = Blueprint("portal", __name__)
for part in (share,):
    portal.register_blueprint(part.routes)
