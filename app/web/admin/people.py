"""Members and buyers: who they are, what they may do, where they are signed in."""

import sqlalchemy as sa
from flask import Blueprint, Response, current_app, flash, redirect, request, url_for
from flask_babel import gettext as _

from app.core.crypto import Secret
from app.core.db import transaction
from app.core.errors import N_, Refusal
from app.domain.accounts import queries, rules, second_factor, service, sessions
from app.domain.accounts.contacts import Contact
from app.domain.accounts.models import Person, PersonState, Role
from app.domain.accounts.rules import PERMISSION_WORDS, PERMISSIONS
from app.web.access import staff
from app.web.admin.audit_words import role_words
from app.web.admin.export import Column, local
from app.web.admin.listing import Choice, Listing, Search, Sort
from app.web.errors import words
from app.web.render import render

routes = Blueprint("people", __name__)

BUYER = "buyer"


def matches(text: str) -> sa.ColumnElement[bool]:
    """By name, or by the whole contact: a part of a sealed one cannot be searched for."""
    try:
        by_contact = Person.contact_index == Contact.parse(text).index
    except Refusal:
        return Person.name.icontains(text, autoescape=True)
    return sa.or_(Person.name.icontains(text, autoescape=True), by_contact)


LIST = Listing(
    name="people",
    model=Person,
    search=Search(matches, N_("姓名、完整的手机号或邮箱")),
    choices=(
        Choice(
            "role",
            N_("角色"),
            lambda: [*_roles(), (BUYER, _("买家"))],
            lambda value: Person.role.is_(None) if value == BUYER else Person.role == Role(value),
        ),
        Choice(
            "state",
            N_("状态"),
            lambda: [(PersonState.ACTIVE, _("正常")), (PersonState.DISABLED, _("已停用"))],
            lambda value: Person.state == PersonState(value),
        ),
    ),
    sorts=(
        Sort("newest", N_("最新在前"), (Person.id.desc(),)),
        Sort("seen", N_("最近登录在前"), (Person.last_seen_at.desc().nulls_last(),)),
        Sort("name", N_("按姓名"), (Person.name.asc(),)),
    ),
    columns=(
        Column(N_("姓名"), lambda person: person.name),
        Column(N_("联系方式"), lambda person: person.contact_masked),
        Column(N_("角色"), lambda person: role_words(person.role)),
        Column(N_("状态"), lambda person: person.state.value),
        Column(N_("加入时间"), lambda person: local(person.created_at)),
        Column(N_("最近登录"), lambda person: local(person.last_seen_at)),
    ),
    export_permission="people.change",
)


@routes.get("/admin/people")
@staff("people.view")
def index() -> Response:
    """Members; buyers only when they are asked for."""
    found = queries.people()
    if request.args.get("role") != BUYER:
        found = found.where(Person.role.is_not(None))
    matrix = [(_(PERMISSION_WORDS[name]), roles) for name, roles in PERMISSIONS.items()]
    return LIST.answer(
        found, "admin/people.html", matrix=matrix, roles=_roles(), role_words=role_words
    )


@routes.get("/admin/people/new")
@staff("people.change", step_up=True)
def new() -> Response:
    return _invitation_page()


@routes.post("/admin/people")
@staff("people.change", step_up=True)
def create() -> Response:
    """Invite a member; their link is shown on this page, once."""
    typed = {name: request.form.get(name, "").strip()[:200] for name in ("contact", "name", "role")}
    try:
        contact, role = Contact.parse(typed["contact"]), _role(typed["role"])
        invited = transaction(lambda: service.invite(contact, typed["name"], role))
    except Refusal as refusal:
        return _invitation_page(typed, {refusal.field: words(refusal)}, refusal.status)
    return _link_page(invited)


@routes.get("/admin/people/<uid>")
@staff("people.view")
def show(uid: str) -> Response:
    person = queries.find(uid)
    return render(
        "admin/person.html",
        person=person,
        role=role_words(person.role),
        roles=_roles(),
        sessions=sessions.living(person.id),
        recovery_codes_left=second_factor.recovery_codes_left(person.id),
    )


@routes.post("/admin/people/<uid>/role")
@staff("people.change", step_up=True)
def update_role(uid: str) -> Response:
    person, role = queries.find(uid), _role(request.form.get("role", ""))
    reason, person_id = _reason(), person.id
    transaction(lambda: service.change_role(person_id, role, reason))
    return _done(uid, _("角色已更改，对方需要重新登录"))


@routes.post("/admin/people/<uid>/disablement")
@staff("people.change", step_up=True)
def create_disablement(uid: str) -> Response:
    person_id, reason = queries.find(uid).id, _reason()
    transaction(lambda: service.disable(person_id, reason))
    return _done(uid, _("账号已停用，对方已退出登录"))


@routes.post("/admin/people/<uid>/disablement/deletion")
@staff("people.change", step_up=True)
def delete_disablement(uid: str) -> Response:
    person_id, reason = queries.find(uid).id, _reason()
    transaction(lambda: service.enable(person_id, reason))
    return _done(uid, _("账号已恢复"))


@routes.post("/admin/people/<uid>/second-factor/deletion")
@staff("people.change", step_up=True)
def delete_second_factor(uid: str) -> Response:
    """The phone is lost: at the next sign-in a new second factor is set up."""
    person_id, reason = queries.find(uid).id, _reason()
    transaction(lambda: service.reset_second_factor(person_id, reason))
    return _done(uid, _("已清除，对方下次登录时重新设置"))


@routes.post("/admin/people/<uid>/sessions/deletion")
@staff("people.change", step_up=True)
def delete_sessions(uid: str) -> Response:
    person_id, reason = queries.find(uid).id, _reason()
    transaction(lambda: service.end_sessions(person_id, reason))
    return _done(uid, _("对方的所有设备已退出登录"))


@routes.post("/admin/people/<uid>/invitation")
@staff("people.change", step_up=True)
def create_invitation(uid: str) -> Response:
    """A link by which the person chooses a new password; shown on this page, once."""
    person_id, reason = queries.find(uid).id, _reason()
    return _link_page(transaction(lambda: service.renew_invitation(person_id, reason)))


def _roles() -> list[tuple[str, str]]:
    return [(role.value, role_words(role)) for role in Role]


def _role(value: str) -> Role:
    if value not in list(Role):
        raise Refusal(N_("请选择一个角色"), field="role")
    return Role(value)


def _reason() -> str:
    reason = request.form.get("reason", "").replace("\0", "").strip()[:200]
    if len(reason) < 2:
        raise Refusal(N_("请写明原因"), field="reason")
    return reason


def _done(uid: str, sentence: str) -> Response:
    flash(sentence, "good")
    return redirect(url_for("admin.people.show", uid=uid), 303)  # type: ignore[return-value]


def _invitation_page(
    typed: dict[str, str] | None = None, errors: dict[str, str] | None = None, status: int = 200
) -> Response:
    return render(
        "admin/people_new.html",
        status=status,
        typed=typed or {},
        errors=errors or {},
        roles=_roles(),
    )


def _link_page(invited: service.Invitation) -> Response:
    hours = int(rules.INVITATION_LASTS.total_seconds()) // 3600
    return render(
        "admin/invitation_link.html", person=invited.person, link=_link(invited.token), hours=hours
    )


def _link(token: Secret) -> str:
    # Our own address, not the one the request claims: a forged Host would carry the link away.
    base_url: str = current_app.config["SETTINGS"].base_url
    return base_url + url_for("account.invitation.show", token=token.reveal())
