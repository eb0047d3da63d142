"""What every purchase of a distributor's says about her, which no form does."""

from flask_babel import get_locale

from app.core.errors import N_, Refusal
from app.domain.accounts import service as accounts
from app.domain.accounts.contacts import Contact
from app.domain.channels.models import Distributor
from app.domain.orders.placing import Purchase
from app.domain.orders.rules import BALANCE
from app.web import client

KEY = 16, 64


def purchase_of(
    seller: Distributor,
    key: str,
    *,
    channel: str = BALANCE,
    product_id: int = 0,
    quantity: int = 1,
    shown_price: int = 0,
) -> Purchase:
    """Her purchase; raises Refusal for a form that has lost its one-time key."""
    least, most = KEY
    if not least <= len(key) <= most:
        raise Refusal(N_("这个页面放得太久了，请刷新后重试"))
    return Purchase(
        checkout_key=key,
        product_id=product_id,
        quantity=quantity,
        shown_price=shown_price,
        contact=Contact.parse(accounts.contact_of(seller.person).reveal()),
        channel=channel,
        pickup_hash=None,
        person_id=seller.person_id,
        ip=client.address(),
        network=client.network(client.address()),
        language=str(get_locale() or "zh"),
        balance_of=seller.uid,
    )
