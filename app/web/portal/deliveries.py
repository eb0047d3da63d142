"""A purchase of hers: its codes as a locked file, or how far each account's recharge is."""

import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from flask import Blueprint, Response, request
from flask_babel import gettext as _

from app.core import clock
from app.core.crypto import Secret
from app.core.db import transaction
from app.core.errors import N_, Refusal
from app.core.sealed_zip import sealed_zip
from app.domain.catalog.models import CODED
from app.domain.channels import purchasing
from app.domain.orders import queries
from app.domain.orders.models import Order, OrderLine, OrderState
from app.domain.recharges import queries as recharges
from app.domain.vault import service as vault
from app.domain.vault.rules import split_content
from app.web import client, limits, state_words
from app.web.access import signed_in
from app.web.admin import export
from app.web.errors import words
from app.web.papers import ZIP, attachment
from app.web.portal.holder import earner
from app.web.render import render

routes = Blueprint("deliveries", __name__)

FINAL = {OrderState.DELIVERED, OrderState.REFUNDED}
# Without letters and digits that look alike.
ALPHABET = "23456789abcdefghjkmnpqrstuvwxyz"
# 17 of them are 84 bits: the format makes guessing cheap, so the password must be long.
PASSWORD_LENGTH = 17
LEAST_PASSWORD = 12
MOST_PASSWORD = 128


@dataclass(frozen=True)
class Result:
    """What became of one account: `state` is a recharge's, `serial` the operator's."""

    number: int
    line: OrderLine
    state: str
    serial: str


@routes.get("/portal/purchases/<number>")
@signed_in
def show(number: str) -> Response:
    return _page(purchasing.find(earner().uid, number))


@routes.post("/portal/purchases/<number>/download")
@signed_in
@limits.per_address("reveal")
def create_download(number: str) -> Response:
    """The codes as a file that opens with the password she sends along, which nobody keeps."""
    order = purchasing.find(earner().uid, number)
    password = Secret(request.form.get("password", "").strip())
    try:
        content = _content(order, password, client.address())
    except Refusal as refusal:
        return _page(order, {refusal.field: words(refusal)}, refusal.status)
    made = sealed_zip(f"{order.number}.txt", content, password, clock.now())
    return attachment(f"{order.number}.zip", ZIP, made)


@routes.get("/portal/purchases/<number>/results.csv")
@signed_in
def show_results(number: str) -> Response:
    """What became of each account, as a file for a spreadsheet."""
    order = purchasing.find(earner().uid, number)
    return attachment(
        f"{order.number}.csv", "text/csv; charset=utf-8", "".join(_csv(order)).encode()
    )


def _content(order: Order, password: Secret, ip: str) -> bytes:
    """The codes one a line, read and recorded in one unit; raises Refusal."""
    if not LEAST_PASSWORD <= len(password.reveal()) <= MOST_PASSWORD:
        raise Refusal(N_("密码至少 %(least)s 位"), field="password", least=LEAST_PASSWORD)
    lines, buyer = purchasing.lines_with_codes(order), order.contact_index

    def reveal() -> list[Secret]:
        found = vault.reveal_to_buyer(lines, buyer, channel="download", ip=ip)
        codes = [secret for pairs in found.values() for _code, secret in pairs]
        purchasing.note_download(order, len(codes))
        return codes

    # The mark at the beginning lets every editor on Windows read Chinese.
    return ("\ufeff" + "".join(map(_as_line, transaction(reveal)))).encode()


def _as_line(secret: Secret) -> str:
    content = split_content(secret.reveal())
    return (f"{content.code} {content.password}" if content.password else content.code) + "\r\n"


def _csv(order: Order) -> Iterator[str]:
    # The mark tells Excel that this is UTF-8.
    yield "\ufeff" + export.line(
        [_("行"), _("充值账号"), _("数量"), _("状态"), _("运营商流水号"), _("金额"), _("已退")]
    )
    for one in _results(order):
        sealed = one.line.account_sealed
        account = queries.open_account(order, sealed).reveal() if sealed else ""
        yield export.line(
            [
                str(one.number),
                export.cell(account),
                str(one.line.quantity),
                state_words.word("recharge", one.state),
                export.cell(one.serial),
                str(export.yuan(one.line.amount)),
                str(export.yuan(one.line.refunded)),
            ]
        )


def _results(order: Order) -> list[Result]:
    """Of each account that is recharged; two statements however many there are."""
    lines = [line for line in order.lines if line.kind not in CODED]
    found = recharges.of_lines([line.id for line in lines])
    serials = recharges.delivered_serials([one.id for one in found.values()])
    return [
        Result(
            number,
            line,
            found[line.id].state.value if line.id in found else "queued",
            serials.get(found[line.id].id, "") if line.id in found else "",
        )
        for number, line in enumerate(order.lines, 1)
        if line in lines
    ]


def _page(order: Order, errors: dict[str, str] | None = None, status: int = 200) -> Response:
    """Asks for itself until nothing on it changes any more."""
    results = _results(order)
    response = render(
        "portal/deliveries/show.html",
        "portal/deliveries/_show.html",
        status=status,
        order=order,
        results=results,
        counts=_counted(results),
        is_final=order.state in FINAL,
        has_codes=any(line.kind in CODED and line.delivered_at for line in order.lines),
        refunded=sum(line.refunded for line in order.lines),
        password="".join(secrets.choice(ALPHABET) for _n in range(PASSWORD_LENGTH)),
        least=LEAST_PASSWORD,
        errors=errors or {},
    )
    response.headers["Cache-Control"] = "no-store"
    return response


def _counted(results: Sequence[Result]) -> dict[str, int]:
    """How many arrived, failed and are under way."""
    arrived = sum(one.state == "delivered" for one in results)
    failed = sum(one.state == "failed" for one in results)
    return {"delivered": arrived, "failed": failed, "running": len(results) - arrived - failed}
