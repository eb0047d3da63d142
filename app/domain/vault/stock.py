"""How many codes can be sold now: counted from the codes themselves, never kept beside them."""

from collections.abc import Sequence
from datetime import date

import sqlalchemy as sa

from app.core.db import session
from app.domain.catalog.models import Product
from app.domain.vault import canaries
from app.domain.vault.models import Batch, BatchState, Code, CodeState

# Nobody decides by more than this; a higher figure reads "more than".
CAP = 100

# Written into the SQL as it stands: a planner sees that the partial index of available codes
# answers, which it cannot see of a parameter.
IS_AVAILABLE = Code.state == sa.literal(
    CodeState.AVAILABLE, Code.__table__.c.state.type, literal_execute=True
)


def sells(today: date | sa.BindParameter[date]) -> sa.ColumnElement[bool]:
    """True of a batch whose codes may be sold on the shop's day `today`."""
    return sa.and_(
        Batch.state == BatchState.OPEN,
        sa.or_(Batch.expires_on.is_(None), Batch.expires_on >= today),
    )


# The batches of `product` that sell on the day `today`, first what expires first: the id of each,
# and what its list of canaries is sealed to and in.
SELLABLE_BATCHES = (
    sa.select(Batch.id, Batch.uid, Batch.canaries_sealed)
    .where(Batch.product_id == sa.bindparam("product"), sells(sa.bindparam("today", type_=sa.Date)))
    .order_by(Batch.expires_on.asc().nulls_last(), Batch.id)
)


def stock_of(product_ids: Sequence[int], today: date, cap: int = CAP) -> dict[int, int]:
    """How many codes of each product can be sold, by product id; 0 for one without any.

    Counting stops at `cap` + 1, which reads "more than `cap`": so a million codes on the shelf
    cost no more than a hundred.
    """
    decoys = canaries.of_batches(sa.and_(Batch.product_id.in_(product_ids), sells(today)))
    shelf = (
        sa.select(Code.id)
        .join(Batch, Batch.id == Code.batch_id)
        .where(Batch.product_id == Product.id, sells(today), IS_AVAILABLE, Code.id.not_in(decoys))
        .correlate(Product)
        .limit(cap + 1)
        .subquery()
    )
    count = sa.select(sa.func.count()).select_from(shelf).scalar_subquery()
    rows = session.execute(sa.select(Product.id, count).where(Product.id.in_(product_ids)))
    return dict(rows.all())


def has_stock(product_id: int, today: date) -> bool:
    """Whether at least one code of the product can be sold."""
    return stock_of([product_id], today, cap=0).get(product_id, 0) > 0
