"""How a code is found by what somebody typed, scanned or followed, and what it was used for."""

from dataclasses import dataclass, replace

import sqlalchemy as sa

from app.core import keys
from app.core.db import session
from app.core.errors import N_, NotFound
from app.domain.catalog.models import PolicyVersion, Product, ProductKind
from app.domain.orders import queries as orders
from app.domain.orders.models import Order, OrderLine
from app.domain.redemptions.models import Redemption, RedemptionState, RollBack
from app.domain.redemptions.validity import History, Policy
from app.domain.risk import events, restrictions
from app.domain.risk.models import Key
from app.domain.vault.models import Batch, Code
from app.domain.vault.rules import normalise


@dataclass(frozen=True)
class Found:
    """A code that was sold, and everything that decides about its use."""

    code: Code
    batch: Batch
    line: OrderLine
    order: Order
    product: Product
    policy: Policy
    uses: tuple[Redemption, ...]

    @property
    def history(self) -> History:
        """The moments that count, for `validity.judge`."""
        used_at = tuple(use.at for use in self.uses)
        return History(
            sold_at=self.code.sold_at,
            delivered_at=self.line.delivered_at,
            # A pass is activated by its first use: there is no other way to activate one.
            activated_at=used_at[0] if used_at else None,
            first_used_at=used_at[0] if used_at else None,
            used_at=used_at,
        )


def code_id_of(text: str) -> int | None:
    """The code that somebody typed, by its blind index: nothing is opened to find it.

    Two look-ups every time, whatever is found, so that the time it takes tells nothing.
    """
    spellings = [normalise(text, case_sensitive=True), normalise(text, case_sensitive=False)]
    found = [
        session.scalar(
            sa.select(Code.id).where(
                # One that is still on the shelf is nobody's yet, and is not there for anybody.
                Code.lookup == keys.index("code", spelling),
                Code.sold_at.is_not(None),
            )
        )
        for spelling in spellings
    ]
    return next((code_id for code_id in found if code_id is not None), None)


def frozen_as(text: str) -> str:
    """What risk knows a typed code by, whether it is one or not: `lookup`, in hex."""
    return keys.index("code", normalise(text, case_sensitive=False)).hex()


def is_frozen(code: Code) -> bool:
    """Whether risk, or a person, has frozen it for a time."""
    whose = events.hashed({Key.CODE: code.lookup.hex()})
    return restrictions.is_frozen(Key.CODE, whose[Key.CODE])


def find(code_id: int, *, lock: bool = False) -> Found | None:
    """A sold code by its id; None for one that is not sold. `lock` locks its order, then the code,
    as everywhere."""
    code = session.get(Code, code_id, populate_existing=True)
    if code is None or code.order_line_id is None or code.sold_at is None:
        return None
    line = session.get_one(OrderLine, code.order_line_id, populate_existing=True)
    if lock:
        orders.lock(line.order_id)
        code = session.get_one(Code, code_id, with_for_update=True, populate_existing=True)
    order = session.get_one(Order, line.order_id)
    return Found(
        code=code,
        batch=session.get_one(Batch, code.batch_id),
        line=line,
        order=order,
        product=session.get_one(Product, line.product_id),
        policy=policy_of(line),
        uses=tuple(uses_of(code_id)),
    )


def policy_of(line: OrderLine) -> Policy:
    """The rules of use that a line was sold under; a redeem code is good for one benefit."""
    version = session.get(PolicyVersion, line.policy_id) if line.policy_id else None
    policy = Policy.from_json(version.rules) if version else Policy()
    return replace(policy, uses_total=1) if line.kind == ProductKind.REDEEM else policy


def uses_of(code_id: int) -> list[Redemption]:
    """The uses of a code that count, oldest first."""
    return list(
        session.scalars(
            sa.select(Redemption)
            .where(Redemption.code_id == code_id, Redemption.counts)
            .order_by(Redemption.at, Redemption.id)
            .execution_options(populate_existing=True)
        )
    )


def history_of(code_id: int) -> list[Redemption]:
    """Every use of a code, those given back too, the newest first."""
    return list(
        session.scalars(
            sa.select(Redemption)
            .where(Redemption.code_id == code_id)
            .order_by(Redemption.id.desc())
        )
    )


def uses_of_lines(order_line_ids: list[int]) -> list[Redemption]:
    """Every use of these lines' codes, oldest first."""
    return list(
        session.scalars(
            sa.select(Redemption)
            .where(Redemption.order_line_id.in_(order_line_ids))
            .order_by(Redemption.id)
        )
    )


def counted_uses_of(order_line_ids: list[int]) -> dict[int, int]:
    """How many uses count of each of these lines' codes; a line without any is left out."""
    rows = session.execute(
        sa.select(Redemption.order_line_id, sa.func.count())
        .where(Redemption.order_line_id.in_(order_line_ids), Redemption.counts)
        .group_by(Redemption.order_line_id)
    )
    return dict(rows.all())


def find_by_key(key: bytes) -> Redemption | None:
    """The use that this very form has already made."""
    return session.scalar(sa.select(Redemption).where(Redemption.key == key))


def find_redemption(redemption_id: int) -> Redemption:
    """A use by its id; raises NotFound."""
    redemption = session.get(Redemption, redemption_id)
    if redemption is None:
        raise NotFound(N_("没有找到这次使用"))
    return redemption


def roll_back_of(redemption_id: int) -> RollBack | None:
    return session.scalar(sa.select(RollBack).where(RollBack.redemption_id == redemption_id))


def pending_of(code_id: int) -> Redemption | None:
    """The use that is still being delivered."""
    return session.scalar(
        sa.select(Redemption).where(
            Redemption.code_id == code_id, Redemption.state == RedemptionState.PENDING
        )
    )
