"""The order's page: one pass whose state changes, whichever view shows it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import segno
from flask import Response, current_app, url_for

from app.core import clock
from app.core.crypto import Secret
from app.domain.catalog import preferences
from app.domain.catalog.models import REDEEMABLE
from app.domain.orders import queries
from app.domain.orders.models import Order, OrderState, Payment
from app.domain.risk import cases
from app.domain.risk.models import CaseState
from app.domain.vault import queries as vault
from app.domain.vault import rules
from app.domain.vault.models import Code
from app.providers import payments
from app.providers.payments.interface import Charge, Start
from app.settings import Settings
from app.web import client
from app.web.render import render
from app.web.shop import benefits, channels

Revealed = Mapping[int, Sequence[tuple[Code, Secret]]]

FINAL = {OrderState.DELIVERED, OrderState.EXPIRED, OrderState.CANCELLED, OrderState.REFUNDED}


def order_page(
    order: Order,
    *,
    codes: Revealed | None = None,
    problem_text: str = "",
    account_text: str = "",
    errors: Mapping[str, str] | None = None,
    status: int = 200,
) -> Response:
    """The pass, with the codes on it only when they were just revealed."""
    payment = _payment(order) if order.state == OrderState.PENDING else None
    views = {
        line.id: benefits.codes_of(line)
        for line in order.lines
        if line.kind in REDEEMABLE and order.delivered_at
    }
    response = render(
        "shop/order.html",
        "shop/_order.html",
        status=status,
        order=order,
        payment=payment,
        start=_instructions(order, payment),
        channels=channels.choices(order.currency) if payment is not None else [],
        is_final=order.state in FINAL and not any(map(benefits.is_moving, views.values())),
        recharges=benefits.recharges_of(order),
        goes_on_at=_goes_on_at(order),
        views=views,
        account_text=account_text,
        now=clock.now(),
        counts=_counts(order, codes) if order.delivered_at else {},
        codes=_shown(codes) if codes is not None else None,
        refunds=queries.refunds_of(order.id) if any(line.refunded for line in order.lines) else [],
        problems=queries.problems_of(order.id),
        problem_text=problem_text,
        errors=errors or {},
        support=preferences.get().support,
    )
    response.headers["Cache-Control"] = "no-store"
    return response


def charge_of(order: Order, payment: Payment) -> Charge:
    """What a channel needs to know to take a payment."""
    settings: Settings = current_app.config["SETTINGS"]
    names = ", ".join(line.product_name for line in order.lines)
    return Charge(
        number=payment.number,
        amount=payment.amount,
        currency=payment.currency,
        subject=names[:100],
        expires_at=order.expires_at,
        return_url=settings.base_url + url_for("shop.orders.show", number=order.number),
        notify_url=settings.internal_url
        + url_for("hooks.payments.create", channel=payment.channel),
        client_ip=client.address(),
        is_phone=client.is_phone(),
        language=order.language,
        pay_into=preferences.get().bank_account,
    )


def _payment(order: Order) -> Payment | None:
    found = queries.payments_of(order.id)
    return found[0] if found else None


def _instructions(order: Order, payment: Payment | None) -> Start | None:
    """What a channel without a pay page asks the buyer to do, while there is something to pay."""
    if order.state != OrderState.PENDING or payment is None:
        return None
    start = payments.channel(payment.channel).start(charge_of(order, payment))
    return None if start.kind == "redirect" else start


def _goes_on_at(order: Order) -> datetime | None:
    """When an order that risk only delays goes on by itself."""
    case = cases.of_order(order.id) if order.state == OrderState.HELD else None
    return case.release_at if case is not None and case.state == CaseState.OPEN else None


def _counts(order: Order, codes: Revealed | None) -> dict[int, int]:
    """How many live codes each line has; whoever just saw them all need not ask."""
    if codes is not None:
        return {line_id: len(pairs) for line_id, pairs in codes.items()}
    return vault.count_codes_of([line.id for line in order.lines])


@dataclass(frozen=True)
class ShownCode:
    """A code as it is printed on the pass: this page, this once."""

    id: int
    text: str
    display: str
    password: str

    @property
    def qr(self) -> str:
        """A QR code of the code, as the address of a picture. A fixed mask takes a third of the
        time that choosing the best one does, and readers take any."""
        code = segno.make_qr(self.text, error="m", boost_error=False, mask=0)
        return code.svg_data_uri(border=2, scale=4)


def _shown(codes: Revealed) -> dict[int, list[ShownCode]]:
    return {
        line_id: [_print(code, secret) for code, secret in pairs]
        for line_id, pairs in codes.items()
    }


def _print(code: Code, secret: Secret) -> ShownCode:
    content = rules.split_content(secret.reveal())
    return ShownCode(
        id=code.id,
        text=content.code,
        display=rules.group_for_display(content.code),
        password=content.password or "",
    )
