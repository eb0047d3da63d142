"""The pay page, for whoever has a link that the merchant signed."""

from concurrent.futures import wait
from datetime import datetime
from zoneinfo import ZoneInfo

from flask import Blueprint, Response, abort, redirect, render_template, request

from app.core.money import yuan
from app.outside.assets import Assets
from app.outside.record import now
from app.sandbox import trades
from app.sandbox.channel import here
from app.sandbox.faults import Faults
from app.sandbox.links import BadLink, PayLink
from app.sandbox.trades import Refused
from app.sandbox.words import language_of, words

ASSETS = Assets(
    ("tokens", "base", "icon", "button", "field", "surface", "badge", "money", "sandbox"),
    ("countdown", "forms"),
)

# So long the buyer is kept for the merchant's answer: back at the shop, she finds her goods.
WAIT_FOR_MERCHANT = 1.5
ZONE = ZoneInfo("Asia/Shanghai")
STATUSES = {"bad_link": 400, "closed": 410, "expired": 410, "reused": 409}

routes = Blueprint("pages", __name__)


@routes.get("/pay")
def show() -> Response:
    """What there is to pay, or why it cannot be paid."""
    try:
        link = _link()
    except BadLink:
        return _page("bad_link")
    with here().record.unit() as db:
        state = trades.standing(db, link, now())
    return _page(state, link)


@routes.post("/pay")
def create() -> Response:
    """Take the money, call the merchant, and send the buyer back."""
    try:
        link = _link()
        wanted = Faults.read(
            {name: request.form[name] for name in Faults.names() & set(request.form)}
        )
    except BadLink:
        return _page("bad_link")
    except ValueError:
        abort(400)
    try:
        with here().record.unit() as db:
            if wanted != Faults():
                wanted.want(db, link.number)
            trades.pay(db, link, now())
    except Refused as refusal:
        return _page(str(refusal), link)
    wait(here().caller.send_due(link.number), WAIT_FOR_MERCHANT)
    return redirect(link.return_url, 303)  # type: ignore[return-value]


@routes.get("/assets/<version>/<name>")
def asset(version: str, name: str) -> Response:
    return ASSETS.answer(version, name)


def _link() -> PayLink:
    """The link is the page's whole address, for looking at it as for paying."""
    return PayLink.read(request.args, here().merchant, here().keys)


def _page(state: str, link: PayLink | None = None) -> Response:
    preferred = request.accept_languages.best_match(["zh", "en"]) or "zh"
    language = language_of(link.language if link and link.language else preferred)
    text = render_template(
        "sandbox/pay.html",
        state=state,
        link=link,
        amount=yuan(link.amount) if link else "",
        deadline=f"{datetime.fromtimestamp(link.expires_at, ZONE):%H:%M}" if link else "",
        seconds=max(0, int(link.expires_at - now())) if link else 0,
        language=language,
        words=words(language),
        assets=f"/assets/{ASSETS.version}",
    )
    response = Response(text, STATUSES.get(state, 200))
    response.headers["Content-Security-Policy"] = _policy(link)
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Content-Type-Options"] = "nosniff"
    # The page's own address is the right to pay: where it leads is not told of it.
    response.headers["Referrer-Policy"] = "no-referrer"
    return response


def _policy(link: PayLink | None) -> str:
    """Browsers hold `form-action` against where a sent form is redirected to, too."""
    back = f" {link.return_origin}" if link else ""
    return (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        f"form-action 'self'{back}; base-uri 'none'; frame-ancestors 'none'"
    )
