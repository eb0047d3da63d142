"""Fields that no form has: amounts, states, roles and owners, sent along with what a form sends."""

from collections.abc import Iterator

import sqlalchemy as sa

from app.core.db import session
from app.domain.accounts.contacts import Contact
from app.domain.accounts.models import Person, Role
from app.domain.channels.models import Distributor, DistributorState
from app.domain.orders.models import Order, OrderState
from app.domain.payouts.models import Withdrawal, WithdrawalState
from tests import paying_out, people
from tests.attacks import target as house
from tests.attacks.outcome import Outcome, control
from tests.attacks.target import Target
from tests.attacks.visitor import Visitor

TOKEN = "csrf_token"
EVERYWHERE = {
    "id": "1",
    "state": "paid",
    "role": "owner",
    "is_staff": "1",
    "person_id": "1",
    "created_at": "2020-01-01",
}
MONEY = {
    "amount": "1",
    "total": "1",
    "unit_price": "1",
    "discount_bp": "9999",
    "currency": "IDR",
    "paid_at": "2020-01-01",
    "balance_of": "x",
    "is_attributed": "1",
}
EARNED = 20_000


def run(target: Target, _scale: float) -> Outcome:
    """Fields that the shop took over though no form has them."""
    sent, taken = 0, []
    for attack in (_order, _odd_quantities, _register_and_apply, _withdraw, _make_oneself_owner):
        for what, was_taken in attack(target):
            sent += 1
            if was_taken:
                taken.append(what)
    return Outcome(
        "extra fields",
        f"{sent} facts that fields were sent for",
        len(taken),
        "what the forms have",
        ", ".join(taken) or "nothing",
        control(sent, "what the same forms do have was taken"),
    )


Facts = Iterator[tuple[str, bool]]


def _order(target: Target) -> Facts:
    with target.inside():
        wanted = house.product(9)
        path, price = house.path_of(wanted), wanted.price
    buyer, phone = target.attacker(16_000), target.phone()
    target.order(buyer, path, phone, quantity="2", **EVERYWHERE, **MONEY)
    with target.inside():
        order = _order_of(phone)
        control(order is not None, "the order is placed")
        line = order.lines[0]
        control(line.quantity == 2, "the quantity that the form has is taken")
        yield "an order's total", order.total != 2 * price or line.unit_price != price
        yield "an order's state", order.state != OrderState.PENDING or order.paid_at is not None
        yield "an order's currency", order.currency != "CNY"
        yield "an order's owner", order.person_id is not None or bool(order.balance_of)
        yield "an order's seller", order.is_attributed


def _odd_quantities(target: Target) -> Facts:
    """The price that was shown goes with the form, and quantities are typed."""
    with target.inside():
        path = house.path_of(house.product(9))
    for number, values in enumerate(
        (
            {"price": "1"},
            {"price": "-3000"},
            {"quantity": "-1"},
            {"quantity": "0"},
            {"quantity": "0.01"},
            {"quantity": "1e1"},
            {"quantity": "99999999999999999999"},
            {"product": "balance"},
        )
    ):
        phone = target.phone()
        target.order(target.attacker(16_100 + number), path, phone, **values)
        with target.inside():
            yield f"an order with {values}", _order_of(phone) is not None


def _order_of(phone: str) -> Order | None:
    index = Contact.parse(phone).index
    return session.scalars(sa.select(Order).where(Order.contact_index == index)).one_or_none()


def _register_and_apply(target: Target) -> Facts:
    contact, who = "extra@example.com", target.attacker(16_200)
    door = "/account/registration"
    extra = EVERYWHERE | {"totp_sealed": "x", "password_hash": "x", "uid": "x"}
    who.submit(who.get(door), door, contact=contact, password=people.PASSWORD, **extra)
    door = "/portal/application"
    extra = EVERYWHERE | {
        "state": "active",
        "tier_id": "4",
        "parent_id": "1",
        "code": "AAAAAAA",
        "approved_at": "2020-01-01",
    }
    who.submit(who.get(door), door, name="阿岚", introduction="两个同学群", **extra)
    with target.inside():
        person = session.scalars(
            sa.select(Person).where(Person.contact_index == Contact.parse(contact).index)
        ).one_or_none()
        control(person is not None, "an account is made")
        seller = session.scalars(
            sa.select(Distributor).where(Distributor.person_id == person.id)
        ).one_or_none()
        control(seller is not None and seller.name == "阿岚", "an application is taken")
        yield "a person's role", person.role is not None
        yield "a person's uid", person.uid == "x"
        yield "a distributor's state", seller.state != DistributorState.APPLIED
        yield "a distributor's tier", seller.tier.threshold != 0
        yield "a distributor's parent", seller.parent_id is not None
        yield "a distributor's code", seller.code == "AAAAAAA"


def _withdraw(target: Target) -> Facts:
    contact, who = "extra-seller@example.com", target.attacker(16_300)
    with target.inside():
        holder = paying_out.make_distributor(people.make(contact=contact), EARNED)
        paying_out.add_account(holder)
        holder_id = holder.id
    who.sign_in(contact, people.PASSWORD)
    door = "/portal/withdrawals"
    extra = EVERYWHERE | {
        "state": "approved",
        "gross": "99999999",
        "net": "99999999",
        "fee": "-100",
        "tax": "-100",
        "approved_by": "person:1",
        "distributor_id": "1",
    }
    who.submit(who.get(f"{door}/new"), door, amount="50.00", **extra)
    with target.inside():
        made = session.scalars(
            sa.select(Withdrawal).where(Withdrawal.distributor_id == holder_id)
        ).one_or_none()
        control(made is not None and made.gross == 5000, "the amount that the form has is taken")
        yield "a withdrawal's state", made.state != WithdrawalState.REQUESTED
        yield "a withdrawal's sums", (made.net, made.fee, made.tax) != (5000, 0, 0)
        yield "a withdrawal's reviewer", bool(made.approved_by)


def _make_oneself_owner(target: Target) -> Facts:
    """The form that only an owner has, sent by support about herself."""
    support, owner = target.member(Role.SUPPORT), target.member(Role.OWNER)
    with target.inside():
        person = session.get_one(Person, int(support.actor.partition(":")[2]))
        uid = person.uid
    door = f"/admin/people/{uid}"
    values = {"role": Role.OWNER.value, "reason": "更适合这份工作"}
    _post(support.browser, f"{door}/role", values)
    yield "one's own role", _role(target, uid) != Role.SUPPORT
    _post(owner.browser, f"{door}/role", values)
    control(_role(target, uid) == Role.OWNER, "an owner can make her one")


def _role(target: Target, uid: str) -> Role | None:
    with target.inside():
        return session.scalars(sa.select(Person.role).where(Person.uid == uid)).one()


def _post(who: Visitor, path: str, values: dict[str, str]) -> None:
    """Under the token of whatever form this visitor has."""
    forms = who.get("/admin/profile").forms
    token = next(one.fields[TOKEN] for one in forms if TOKEN in one.fields)
    who.post(path, values | {TOKEN: token})
