"""How a guest on another phone finds her order again, and how nobody finds another's.

Opens its own units: a try is counted before it is judged, and argon2 must not run inside a unit.
"""

from app.core import keys
from app.core.crypto import Secret
from app.core.db import transaction
from app.core.errors import N_, NotFound, Refusal
from app.domain.accounts import passwords, throttling
from app.domain.accounts.contacts import Contact
from app.domain.orders import queries
from app.domain.orders.models import Order

# One sentence for a wrong number, a wrong contact and a wrong password: a guesser learns nothing.
NOT_FOUND = N_(
    "没有找到这个订单。请核对订单号和下单时填写的手机号或邮箱；设置过取货密码的，也要填对"
)


def find_for_guest(number: str, contact: str, pickup: Secret) -> Order:
    """The order, after the same work whether it exists or not; raises Refusal and TooSoon."""
    wanted = Contact.parse(contact).index
    guards = throttling.of_looking_up(keys.index("lookup", number))
    transaction(lambda: throttling.take(guards))
    try:
        order = queries.find(number)
    except NotFound:
        order = None
    stored = order.pickup_hash if order else None
    is_right = passwords.check_pickup(stored, pickup)
    if order is None or order.contact_index != wanted or not is_right:
        raise Refusal(NOT_FOUND)
    transaction(lambda: throttling.succeeded(guards))
    return order
