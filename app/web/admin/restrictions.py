"""What somebody may not do for a time: what holds now, why, until when; lifted with a reason."""

from flask import Blueprint, Response, flash, redirect, request, url_for
from flask_babel import gettext as _

from app.core import clock
from app.core.db import session, transaction
from app.core.errors import NotFound, Refusal
from app.domain.risk import restrictions, rule_changes
from app.web import risk_words
from app.web.access import staff
from app.web.errors import words
from app.web.render import render

routes = Blueprint("restrictions", __name__)

MOST = 200


@routes.get("/admin/risk/restrictions")
@staff("risk.view")
def index() -> Response:
    return render(
        "admin/restrictions/index.html",
        rows=restrictions.live(clock.now(), MOST),
        most=MOST,
        checkpoints=dict(risk_words.checkpoints()),
        keys={key: _(title) for key, title in risk_words.KEY_TITLES.items()},
        sentences={rule.slug: risk_words.rule_sentence(rule) for rule in rule_changes.all_rules()},
        name_of=risk_words.name_of,
    )


@routes.post("/admin/risk/restrictions/<int:restriction_id>/lifting")
@staff("risk.review")
def create_lifting(restriction_id: int) -> Response:
    reason = request.form.get("reason", "")[:200]
    try:
        transaction(lambda: restrictions.lift(restriction_id, reason))
    except NotFound:
        raise
    except Refusal as refusal:
        session.rollback()
        flash(words(refusal), "bad")
    else:
        flash(_("已解除，立即生效"), "good")
    return redirect(url_for("admin.restrictions.index"), 303)  # type: ignore[return-value]
