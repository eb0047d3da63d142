"""Who saw codes in plain text: when, from where, and if staff, why."""

import sqlalchemy as sa
from flask import Blueprint, Response
from flask_babel import gettext as _

from app.core.errors import N_
from app.domain.accounts.models import Person
from app.domain.orders.models import Order, OrderLine
from app.domain.vault.models import Reveal
from app.web.access import staff
from app.web.admin.export import Column, local
from app.web.admin.listing import Choice, Days, Listing, Search, Sort

routes = Blueprint("reveals", __name__)

WHO = (("staff", N_("店员")), ("buyer", N_("买家")))


def _matches(text: str) -> sa.ColumnElement[bool]:
    return sa.or_(
        Order.number == text.upper(),
        Reveal.ip == text,
        Person.name.icontains(text, autoescape=True),
    )


def _name(row: tuple[Reveal, str | None, str | None]) -> str:
    reveal, _number, name = row
    return name or "" if reveal.by_staff else _("买家")


LIST = Listing(
    name="reveals",
    model=Reveal,
    search=Search(_matches, N_("订单号、姓名、地址")),
    choices=(
        Choice(
            "who",
            N_("谁"),
            lambda: [(key, _(label)) for key, label in WHO],
            lambda value: Reveal.by_staff == (value == "staff"),
        ),
    ),
    days=Days(Reveal.at),
    sorts=(Sort("newest", N_("最新在前"), (Reveal.id.desc(),)),),
    columns=(
        Column(N_("时间"), lambda row: local(row[0].at)),
        Column(N_("谁"), _name),
        Column(N_("订单号"), lambda row: row[1]),
        Column(N_("条数"), lambda row: row[0].code_count),
        Column(N_("方式"), lambda row: row[0].channel),
        Column(N_("地址"), lambda row: row[0].ip),
        Column(N_("原因"), lambda row: row[0].reason),
    ),
    export_permission="audit.export",
)


@routes.get("/admin/reveals")
@staff("reveals.view")
def index() -> Response:
    found = (
        sa.select(Reveal, Order.number, Person.name)
        .outerjoin(OrderLine, OrderLine.id == Reveal.order_line_id)
        .outerjoin(Order, Order.id == OrderLine.order_id)
        .outerjoin(Person, Reveal.actor == sa.literal("person:") + sa.cast(Person.id, sa.Text))
    )
    return LIST.answer(found, "admin/reveals/index.html")
