"""Distributors in the console: who applied, who sells, who joined under whom, and what staff decide
about them, each time with its reason."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import sqlalchemy as sa
from flask import Blueprint, Response, current_app, flash, redirect, request, url_for
from flask_babel import gettext as _

from app.core import clock
from app.core.audit import AuditEntry
from app.core.db import session, transaction
from app.core.errors import N_, NotFound, Refusal
from app.core.states import StateChange
from app.domain.accounts.contacts import Contact
from app.domain.accounts.models import Person
from app.domain.channels import balance, joining, queries, tiers
from app.domain.channels.models import Distributor, DistributorState, Tier
from app.domain.ledger import queries as books
from app.domain.orders.rules import balance_account
from app.domain.risk import keywords
from app.web import state_words
from app.web.access import staff
from app.web.admin import todo
from app.web.admin.actors import named
from app.web.admin.listing import Choice, Listing, Search, Sort
from app.web.admin.order_timeline import Entry
from app.web.admin.typed import Typed
from app.web.errors import words
from app.web.render import render

routes = Blueprint("distributors", __name__)

STEPS = {
    "applied": (N_("提交申请"), "wait"),
    "active": (N_("可以推广"), "good"),
    "suspended": (N_("暂停"), "bad"),
    "refused": (N_("申请未通过"), "bad"),
}


def _matches(text: str) -> sa.ColumnElement[bool]:
    """By name, by code, or by the whole contact: a part of a sealed one cannot be searched for."""
    found = sa.or_(
        Distributor.name.icontains(text, autoescape=True), Distributor.code == text.upper()
    )
    try:
        index = Contact.parse(text).index
    except Refusal:
        return found
    theirs = sa.exists().where(Person.id == Distributor.person_id, Person.contact_index == index)
    return sa.or_(found, theirs)


def _tier_options() -> list[tuple[str, str]]:
    return [(str(tier.id), tier.name) for tier in queries.list_tiers()]


NEWEST = Sort("newest", N_("最新在前"), (Distributor.id.desc(),))

LIST = Listing(
    name="distributors",
    model=Distributor,
    search=Search(_matches, N_("名称、推广码、完整的手机号或邮箱")),
    choices=(
        Choice(
            "state",
            N_("状态"),
            lambda: state_words.options("distributor"),
            lambda value: Distributor.state == DistributorState(value),
        ),
        Choice("tier", N_("等级"), _tier_options, lambda value: Distributor.tier_id == int(value)),
    ),
    sorts=(NEWEST, Sort("name", N_("按名称"), (Distributor.name.asc(),))),
)
CHILDREN = Listing(name="children", model=Distributor, sorts=(NEWEST,))


@routes.get("/admin/distributors")
@staff("channels.view")
def index() -> Response:
    return LIST.answer(queries.distributors(), "admin/distributors/index.html", beside=_beside)


@routes.get("/admin/distributors/new")
@staff("channels.manage")
def new() -> Response:
    return _invitation_page(Typed({"parent_code": request.args.get("parent_code", "")}))


@routes.post("/admin/distributors")
@staff("channels.manage")
def create() -> Response:
    """Invite somebody; the link is shown on this page, once."""
    typed = Typed(request.form)
    tier_id, parent_code = typed.whole("tier_id") or None, typed.text("parent_code")
    if typed.errors:
        return _invitation_page(typed, 422)
    try:
        made = transaction(lambda: joining.invite_for_shop(parent_code, tier_id))
    except NotFound:
        raise
    except Refusal as refusal:
        session.rollback()
        typed.note([refusal])
        return _invitation_page(typed, refusal.status)
    # Our own address, not the one the request claims: a forged Host would carry the link away.
    base_url: str = current_app.config["SETTINGS"].base_url
    path = url_for("portal.application.show_invitation", token=made.token.reveal())
    return render(
        "admin/distributors/link.html",
        link=base_url + path,
        expires_at=made.expires_at,
        days=joining.INVITATION_LASTS.days,
    )


@routes.get("/admin/distributors/<uid>")
@staff("channels.view")
def show(uid: str) -> Response:
    one = queries.find(uid)
    sold = tiers.net_sales(clock.now() - tiers.WINDOW, [one.id]).get(one.id, 0)
    return CHILDREN.answer(
        queries.children_of(one.id),
        "admin/distributors/show.html",
        beside=_beside,
        distributor=one,
        parent=session.get(Distributor, one.parent_id) if one.parent_id else None,
        lower_tier=session.get(Tier, one.lower_tier_id) if one.lower_tier_id else None,
        child_count=queries.count_children([one.id]).get(one.id, 0),
        sold=sold,
        days=tiers.WINDOW.days,
        listed_words=keywords.found_in(f"{one.name} {one.introduction}"),
        timeline=timeline_of(one),
        balance=balance.of(one.uid),
        has_entries=books.has_account(balance_account(one.uid)),
    )


@routes.post("/admin/distributors/<uid>/approval")
@staff("channels.manage")
def create_approval(uid: str) -> Response:
    return _decide(uid, lambda one, _reason: joining.approve(one), _("已通过，对方现在可以推广"))


@routes.post("/admin/distributors/<uid>/refusal")
@staff("channels.manage")
def create_refusal(uid: str) -> Response:
    return _decide(uid, joining.refuse, _("已拒绝，对方会看到原因，可以再次申请"))


@routes.post("/admin/distributors/<uid>/suspension")
@staff("channels.manage")
def create_suspension(uid: str) -> Response:
    return _decide(uid, joining.suspend, _("已暂停，对方会看到原因"))


@routes.post("/admin/distributors/<uid>/suspension/deletion")
@staff("channels.manage")
def delete_suspension(uid: str) -> Response:
    return _decide(uid, joining.restore, _("已恢复，对方现在可以推广"))


def timeline_of(one: Distributor) -> list[Entry]:
    """What happened to her, newest first."""
    steps = session.scalars(
        sa.select(StateChange).where(
            StateChange.subject == "distributors", StateChange.subject_id == one.id
        )
    ).all()
    moved = session.scalars(
        sa.select(AuditEntry).where(
            AuditEntry.subject == "distributors",
            AuditEntry.subject_id == one.id,
            AuditEntry.action == "distributor.tier",
        )
    ).all()
    names = named([step.actor for step in steps] + [entry.actor for entry in moved])
    entries = [*_steps(steps, names), *_moves(moved, names)]
    return sorted(entries, key=lambda entry: entry.at, reverse=True)


def _steps(steps: Sequence[StateChange], names: dict[str, str]) -> Iterator[Entry]:
    for step in steps:
        title, tone = STEPS[step.to_state]
        yield Entry(step.at, _(title), tone, names[step.actor], step.note)


def _moves(moved: Sequence[AuditEntry], names: dict[str, str]) -> Iterator[Entry]:
    for entry in moved:
        before, after = entry.detail["tier"]
        title = _("等级从 %(before)s 变为 %(after)s", before=before, after=after)
        yield Entry(entry.at, title, "", names[entry.actor], "")


def _decide(uid: str, decide: Callable[[int, str], None], done: str) -> Response:
    """Do it and come back, with a word on what was done or why not."""
    distributor_id, reason = queries.find(uid).id, request.form.get("reason", "")
    try:
        transaction(lambda: decide(distributor_id, reason))
    except Refusal as refusal:
        session.rollback()
        flash(words(refusal), "bad")
    else:
        todo.forget()
        flash(done, "good")
    return redirect(url_for("admin.distributors.show", uid=uid), 303)  # type: ignore[return-value]


def _beside(rows: Sequence[Distributor]) -> dict[str, Any]:
    """How many joined under each of those on the page."""
    return {"counts": queries.count_children([row.id for row in rows])}


def _invitation_page(typed: Typed, status: int = 200) -> Response:
    return render(
        "admin/distributors/new.html",
        status=status,
        form=typed,
        tiers=[("", _("默认等级")), *_tier_options()],
        days=joining.INVITATION_LASTS.days,
    )
