"""Which other orders share something with one: by whom, how many, and one step further.

Read from the events, so it reaches as far back as those are kept, and no further than MOST.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import sqlalchemy as sa

from app.core.db import session
from app.domain.risk.models import EventKind, Key, RiskEvent

# What belongs to one person, the most telling first. A network is many people's, so it is shown and
# not followed any further.
STRONG = (Key.PAYER, Key.ACCOUNT, Key.DEVICE, Key.CONTACT)
LINKED_BY = (*STRONG, Key.NETWORK)
OF_ORDERS = (EventKind.PLACED, EventKind.PAID)
SHOWN = 20
MOST = 1_000
# So many of the first step are followed to the second.
FOLLOWED = 200


@dataclass(frozen=True)
class Link:
    """The other orders with the same key: `order_ids` the newest, `count` all, at most MOST."""

    key: Key
    order_ids: list[int]
    count: int


@dataclass(frozen=True)
class Graph:
    """The links of one order, and how many more orders share something with those linked."""

    links: list[Link]
    further: int

    @property
    def order_ids(self) -> set[int]:
        return {order_id for link in self.links for order_id in link.order_ids}


def graph(whose: Mapping[Key, bytes], order_id: int) -> Graph:
    """Who is linked with an order whose placer was known by these keys."""
    links = []
    strongly: set[int] = set()
    for key in LINKED_BY:
        if key not in whose:
            continue
        found = [other for other in _sharing(key, {whose[key]}) if other != order_id]
        if found:
            links.append(Link(key, found[:SHOWN], len(found)))
        if key in STRONG:
            strongly.update(found)
    return Graph(links, _count_further(strongly, order_id))


def _count_further(first: set[int], order_id: int) -> int:
    """How many orders, not among the first, share something strong with one of them."""
    if not first:
        return 0
    columns = [getattr(RiskEvent, key.value) for key in STRONG]
    followed = sorted(first, reverse=True)[:FOLLOWED]
    rows = session.execute(sa.select(*columns).where(RiskEvent.order_id.in_(followed))).all()
    second: set[int] = set()
    for place, key in enumerate(STRONG):
        values = {row[place] for row in rows} - {None}
        if values:
            second.update(_sharing(key, values))
    return min(len(second - first - {order_id}), MOST)


def _sharing(key: Key, values: Collection[bytes]) -> list[int]:
    """The orders of whoever is known by one of these, the newest first."""
    column = getattr(RiskEvent, key.value)
    found = (
        sa.select(RiskEvent.order_id)
        .where(RiskEvent.kind.in_(OF_ORDERS), column.in_(values), RiskEvent.order_id.is_not(None))
        .distinct()
        .order_by(RiskEvent.order_id.desc())
        .limit(MOST)
    )
    return [order_id for order_id in session.scalars(found) if order_id is not None]
