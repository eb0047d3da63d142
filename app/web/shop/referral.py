"""A distributor's link: the click is kept, the visitor goes on to what it shows."""

import re
from urllib.parse import urlsplit

from flask import Blueprint, Response, current_app, redirect, request, url_for

from app.core.db import transaction
from app.domain.catalog import preferences
from app.domain.channels import attribution, links
from app.domain.channels.models import ShareLink
from app.web import client, devices, limits
from app.web.access import public

routes = Blueprint("referral", __name__)

COOKIE = "click"
DAY = 24 * 3600
UTM = ("utm_source", "utm_medium", "utm_campaign")
TEXT_LENGTH = 100
# Machines that say so: search engines, previews of links in chats, scripts. "Cubot" is a phone.
ROBOTS = re.compile(
    r"(?<!cu)bot\b|crawl|spider|slurp|externalhit|preview|monitor"
    r"|curl/|wget/|python-|aiohttp|go-http-client",
    re.IGNORECASE,
)


@routes.get("/s/<code>")
@public
@limits.per_address("open_shared")
def show(code: str) -> Response:
    """Whatever became of the link, she arrives: at its product, or in the shop."""
    link = links.open_link(code)
    product = links.leads_to(link) if link is not None else None
    response = _to(url_for("shop.products.show", slug=product.slug) if product else "")
    return response if link is None or _is_machine() else _counted(response, link)


def seen() -> attribution.Seen:
    """What this browser brings along to the order it places."""
    device = devices.current()
    return attribution.Seen(
        referral_code=request.form.get("referral_code", "").strip()[:TEXT_LENGTH],
        click_uid=request.cookies.get(COOKIE, "")[:TEXT_LENGTH],
        device=device.index if device else "",
        owners=device.owners if device else (),
    )


def _counted(response: Response, link: ShareLink) -> Response:
    device = devices.known()
    fields = links.ClickFields(
        network=client.network(client.address()),
        device=device.index,
        referrer=_referrer(),
        utm={name: request.args[name][:TEXT_LENGTH] for name in UTM if name in request.args},
    )
    before = request.cookies.get(COOKIE, "")[:TEXT_LENGTH]
    click = transaction(lambda: links.record(link, fields, before))
    response.set_cookie(
        COOKIE,
        click.uid,
        max_age=preferences.get().attribution_days * DAY,
        httponly=True,
        samesite="Lax",
        secure=current_app.config["SESSION_COOKIE_SECURE"],
    )
    return devices.put(response, device)


def _is_machine() -> bool:
    """Nobody looked: a robot, a browser that fetches ahead of its reader, only headers asked."""
    ahead = request.headers.get("Sec-Purpose", "") + request.headers.get("Purpose", "")
    agent = request.user_agent.string
    return (
        request.method == "HEAD"
        or "prefetch" in ahead
        or not agent
        or ROBOTS.search(agent) is not None
    )


def _referrer() -> str:
    try:
        return (urlsplit(request.referrer or "").hostname or "")[:TEXT_LENGTH]
    except ValueError:
        # Whatever it is, it is no address: the header comes from outside.
        return ""


def _to(url: str) -> Response:
    return redirect(url or url_for("shop.home.index"), 303)  # type: ignore[return-value]
