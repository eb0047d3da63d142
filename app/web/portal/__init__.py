"""The portal: what a distributor sees, drawn for a phone."""

from flask import Blueprint

from app.web.portal import application

portal = Blueprint("portal", __name__)
for part in (application,):
    portal.register_blueprint(part.routes)
