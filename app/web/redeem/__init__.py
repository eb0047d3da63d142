"""Redemption: a code becomes its benefit, by a link, by typing it, or from its order."""

from app.web.redeem.views import routes as redeem

__all__ = ["redeem"]
