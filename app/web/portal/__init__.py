"""The portal: what a distributor sees of her money, drawn for a phone first."""

from flask import Blueprint

from app.web.portal import application, earnings, home, profile, second_factor, share, team

portal = Blueprint("portal", __name__)
for part in (application, home, earnings, share, team, profile, second_factor):
    portal.register_blueprint(part.routes)
