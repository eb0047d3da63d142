"""Every route has a rule, and the rule is what happens, for every kind of visitor."""

import re
from collections.abc import Iterator
from dataclasses import replace

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy.exc import OperationalError
from werkzeug.routing import Rule as Route

from app import create_app
from app.core.actors import actor
from app.core.audit import AuditEntry
from app.core.db import db, session, transaction
from app.domain.accounts import service, sessions
from app.domain.accounts.models import Role, Session
from app.domain.accounts.rules import PERMISSIONS
from app.web import access
from app.web.access import Rule, Who
from tests import factories, people
from tests.conftest import settings
from tests.web.visitors import Visitor, location, words

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def routes(app: Flask) -> Iterator[tuple[Route, Rule | None]]:
    for route in app.url_map.iter_rules():
        if route.endpoint != "static":
            yield route, access.rule_of(app.view_functions[route.endpoint])


def path_of(route: Route) -> str:
    """The route's address with something in place of each variable that no row has."""
    path = re.sub(r"<(?:int|float):[^>]+>", "999999", route.rule)
    return re.sub(r"<[^>]+>", "nothing", path)


def test_every_route_has_a_rule(app: Flask) -> None:
    assert [route.endpoint for route, rule in routes(app) if rule is None] == []


def test_every_admin_route_is_for_staff_but_the_door(app: Flask) -> None:
    door = {"sign_in", "second_factor"}
    wrong = [
        route.endpoint
        for route, rule in routes(app)
        if route.rule.startswith("/admin")
        and (rule is None or rule.who is not Who.STAFF)
        and route.endpoint.split(".")[1] not in door
    ]
    assert wrong == []


def test_every_permission_opens_something(app: Flask) -> None:
    used = {rule.permission for _, rule in routes(app) if rule is not None}
    inside = {"orders.export", "audit.export", "recharges.export", "risk.oversee"}
    # Given with distributors; their pages come with withdrawals and with the books.
    assert set(PERMISSIONS) - used - inside == set()


def test_only_hooks_are_without_a_token(app: Flask) -> None:
    open_to_machines = [r.rule for r, rule in routes(app) if rule and rule.who is Who.CHANNEL]
    assert all(path.startswith("/hooks/") for path in open_to_machines)


@pytest.mark.own_app
def test_a_view_without_a_rule_is_refused(app: Flask) -> None:
    app.add_url_rule("/forgotten", "forgotten", lambda: "secret")
    response = Visitor(app, people.make(Role.OWNER)).get("/forgotten")
    assert response.status_code == 403
    assert "secret" not in response.text


@pytest.mark.parametrize("who", ["guest", "buyer", "half", *Role])
def test_every_route_for_every_role(app: Flask, who: str) -> None:
    """Allowed means that the request got past the rule: to the view, or for a form without token
    to the refusal of that; so nothing is changed by asking."""
    visitor, role = visitor_of(app, who)
    wrong = []
    for route, rule in routes(app):
        assert rule is not None
        if route.endpoint == "admin.second_factor.show":
            continue  # the door's second half sends everybody on who has no business there
        for method in (route.methods or set()) & {"GET", "POST"}:
            got = outcome(visitor, method, path_of(route))
            wanted = expected(rule, signed_in=who not in ("guest", "half"), role=role)
            if got != wanted:
                wrong.append(f"{method} {route.rule}: {got}, not {wanted}")
    assert wrong == []


@pytest.mark.parametrize("role", list(Role))
def test_dangerous_acts_want_a_fresh_proof(app: Flask, role: Role) -> None:
    person = people.make(role)
    visitor = Visitor(app, person)
    transaction(lambda: session.execute(sa.update(Session).values(stepped_up_at=None)))
    for route, rule in routes(app):
        if rule and rule.step_up and role in PERMISSIONS[rule.permission]:
            for method in (route.methods or set()) & {"GET", "POST"}:
                assert outcome(visitor, method, path_of(route)) == "step-up", route.rule


# What ASVS 5.0, 7.5.3 wants a proof of who is at the keyboard for: codes in the clear and in bulk,
# money out, suppliers' keys, prices, roles, somebody's second factor.
DANGEROUS = {
    *("orders.create_reveal", "orders.create_replacement", "orders.create_refund"),
    *("orders.create_confirmation", "orders.create_refund_confirmation"),
    *("exports.create_approval", "exports.create_password", "exports.create_download"),
    *("batches.create_voiding", "batches.create_shredding"),
    *("payouts.create_submission", "payouts.show_file", "payouts.create_results"),
    *("withdrawals.create_payment", "withdrawals.create_return", "remittances.create"),
    *("providers.create", "providers.update", "providers.create_switch"),
    *("plans.create_publication", "plans.create_two_levels"),
    *("people.create", "people.update_role", "people.create_invitation"),
    *("people.create_disablement", "people.delete_second_factor"),
    *("profile.create_recovery_codes", "profile.create_second_factor"),
    *("settings.update_bank_account", "settings.update_payouts", "settings.update_payer"),
    *("risk_rules.update", "risk_lists.create_file", "alarms.create_recall"),
}


def test_what_is_dangerous_is_marked_as_such(app: Flask) -> None:
    marked = {route.endpoint for route, rule in routes(app) if rule is not None and rule.step_up}
    assert {f"admin.{name}" for name in DANGEROUS} - marked == set()


def test_machines_are_told_no_more_than_whether_it_works(app: Flask) -> None:
    """There is no page of figures, of queues or of settings that is for everybody."""
    told = {route.rule for route, _ in routes(app) if route.endpoint.startswith("ops.")}
    assert told == {"/healthz", "/readyz", "/styleguide"}
    guest = Visitor(app)
    assert set(guest.get("/healthz").get_json()) == {"status"}
    ready = guest.get("/readyz").get_json()
    assert set(ready) == {"status", "checks"}
    assert all(isinstance(answer, bool) for answer in ready["checks"].values())
    app.config["SETTINGS"] = replace(app.config["SETTINGS"], shop_env="production")
    assert guest.get("/styleguide").status_code == 404


@pytest.mark.own_app
def test_with_https_every_cookie_is_for_https_alone(app: Flask) -> None:
    config = app.config["SETTINGS"]
    made = create_app(replace(config, base_url="https://shop.example"))
    people.make(contact="13812345678")
    link = factories.place(factories.make_product()).token
    visitor = Visitor(made)
    shown = visitor.get("/account/registration")
    answers = [
        shown,
        visitor.post("/preferences/language", {"language": "en"}),
        visitor.post("/redeem", {"code": "ABCD"}),
        visitor.get(f"/o/{link}"),
        visitor.post("/account/sign-in", {"contact": "13812345678", "password": people.PASSWORD}),
    ]
    cookies = {
        line.partition("=")[0]: line.split("; ")[1:]
        for answer in answers
        for line in answer.headers.getlist("Set-Cookie")
    }
    assert set(cookies) == {"visit", "language", "device", "orders", "__Host-sid"}
    for name, attributes in cookies.items():
        assert {"Secure", "SameSite=Lax", "Path=/"} <= set(attributes), name
        # The page itself may know how it looks; nobody signs in with that.
        assert "HttpOnly" in attributes or name == "language", name
        assert not any(one.startswith("Domain") for one in attributes), name
    hsts = "max-age=31536000; includeSubDomains"
    assert {answer.headers["Strict-Transport-Security"] for answer in answers} == {hsts}


def visitor_of(app: Flask, who: str) -> tuple[Visitor, Role | None]:
    if who == "guest":
        return Visitor(app), None
    if who == "buyer":
        return Visitor(app, people.make()), None
    visitor = Visitor(app)
    person = people.make(Role.OWNER if who == "half" else Role(who))
    visitor.client.set_cookie("sid", people.sign_in(person, second_factor=who != "half"))
    return visitor, person.role if who != "half" else None


def outcome(visitor: Visitor, method: str, path: str) -> str:
    response = visitor._open(method, path)
    target = response.headers.get("Location", "")
    if response.status_code == 303 and "/sign-in" in target and method != "POST":
        return "sign in"
    if response.status_code == 303 and "/sign-in?next" in target:
        return "sign in"
    if response.status_code == 303 and "/admin/step-up" in target:
        return "step-up"
    return "forbidden" if response.status_code == 403 else "allowed"


def expected(rule: Rule, *, signed_in: bool, role: Role | None) -> str:
    if rule.who is Who.SIGNED_IN and not signed_in:
        return "sign in"
    if rule.who is Who.STAFF and role is None:
        return "sign in"
    if rule.who is Who.STAFF and role not in PERMISSIONS[rule.permission]:
        return "forbidden"
    return "allowed"


def test_a_form_without_its_token_is_refused(app: Flask) -> None:
    visitor = Visitor(app)
    response = visitor._open("POST", "/account/sign-in", data={"contact": "13812345678"})
    assert response.status_code == 400
    stolen = Visitor(app).token()
    response = visitor._open("POST", "/account/sign-in", data={"csrf_token": stolen})
    assert response.status_code == 400


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_another_sites_page_is_refused_even_with_a_token(app: Flask, site: str) -> None:
    visitor = Visitor(app, people.make())
    response = visitor.post("/account/sessions/deletion", headers={"Sec-Fetch-Site": site})
    assert response.status_code == 403


def test_nobody_is_led_to_the_right_door_and_back(app: Flask) -> None:
    guest = Visitor(app)
    assert location(guest.get("/account")) == "/account/sign-in?next=/account"
    assert (
        location(guest.get("/admin/people?role=owner&page=2"))
        == "/admin/sign-in?next=/admin/people?role%3Downer%26page%3D2"
    )


def test_after_a_form_one_comes_back_to_its_page(app: Flask) -> None:
    guest = Visitor(app)
    options = {"headers": {"Referer": "http://localhost/admin/settings?x=1"}}
    target = location(guest.post("/admin/settings", **options))
    assert target == "/admin/sign-in?next=/admin/settings?x%3D1"
    options = {"headers": {"Referer": "https://evil.example/admin/settings"}}
    assert location(guest.post("/admin/settings", **options)) == "/admin/sign-in?next="


def test_htmx_is_told_to_leave_the_page(app: Flask) -> None:
    headers = {"HX-Request": "true", "HX-Current-URL": "http://localhost/admin/audit?q=1"}
    response = Visitor(app).get("/admin/audit", headers=headers)
    assert response.status_code == 401
    assert response.headers["HX-Redirect"] == "/admin/sign-in?next=/admin/audit?q%3D1"


def test_the_actor_is_who_is_signed_in(app: Flask) -> None:
    owner = people.make(Role.OWNER)
    target = people.make(Role.SUPPORT)
    Visitor(app, owner).post(f"/admin/people/{target.uid}/disablement", {"reason": "离职"})
    session.rollback()
    entry = session.scalars(sa.select(AuditEntry).order_by(AuditEntry.id.desc())).first()
    assert entry is not None
    assert (entry.action, entry.actor) == ("person.disable", f"person:{owner.id}")
    Visitor(app).get("/account/sign-in")
    assert actor() == "guest"


def test_a_visitor_without_a_session_costs_no_query(app: Flask) -> None:
    """The rule, the language, the token: none of them asks the database for a stranger."""
    statements: list[str] = []
    listen = ("before_cursor_execute", lambda *args: statements.append(args[2]))
    visitor = Visitor(app)
    visitor.get("/account/sign-in")
    sa.event.listen(db.engine, *listen)
    try:
        assert visitor.get("/account/sign-in").status_code == 200
        assert statements == []
        assert visitor.get("/healthz").status_code == 200
        assert statements == []
    finally:
        sa.event.remove(db.engine, *listen)


def test_a_signed_in_page_asks_for_its_session_once(app: Flask) -> None:
    visitor = Visitor(app, people.make())
    visitor.get("/account")
    statements: list[str] = []
    listen = ("before_cursor_execute", lambda *args: statements.append(args[2]))
    sa.event.listen(db.engine, *listen)
    try:
        visitor.get("/account")
    finally:
        sa.event.remove(db.engine, *listen)
    by_secret = [text for text in statements if "sessions.secret_hash = " in text]
    assert len(by_secret) == 1
    assert not [text for text in statements if text.startswith(("UPDATE", "INSERT"))]


def test_without_a_database_there_is_still_a_page_that_says_so(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    visitor = Visitor(app, people.make())

    def away(_secret: str) -> None:
        raise OperationalError("SELECT", {}, Exception("gone"))

    monkeypatch.setattr(sessions, "find", away)
    response = visitor.get("/account")
    assert response.status_code == 500
    assert "我们这边出了问题" in words(response)


def test_a_dead_session_is_a_guests(app: Flask) -> None:
    person = people.make()
    visitor = Visitor(app, person)
    assert visitor.get("/account").status_code == 200
    transaction(lambda: service.disable(person.id, "测试"))
    assert location(visitor.get("/account")) == "/account/sign-in?next=/account"


def test_the_cookie_is_out_of_reach(app: Flask) -> None:
    people.make(contact="13812345678")
    response = Visitor(app).post(
        "/account/sign-in", {"contact": "13812345678", "password": people.PASSWORD}
    )
    cookie = next(
        value for value in response.headers.getlist("Set-Cookie") if value.startswith("sid=")
    )
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Path=/" in cookie
    assert "Domain" not in cookie


def test_with_https_the_cookie_has_the_host_prefix(
    app: Flask, database_url: str, tmp_path: object
) -> None:
    config = settings(app.config["SETTINGS"].data_dir, database_url)
    app.config["SETTINGS"] = type(config)(**{**vars(config), "base_url": "https://shop.example"})
    people.make(contact="13812345678")
    response = Visitor(app).post(
        "/account/sign-in", {"contact": "13812345678", "password": people.PASSWORD}
    )
    cookie = [v for v in response.headers.getlist("Set-Cookie") if v.startswith("__Host-sid=")]
    assert len(cookie) == 1
    assert "Secure" in cookie[0]
