"""What an order's lines are good for besides a code: recharges on their way, codes to redeem,
passes to show."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import segno

from app.domain.catalog.models import PASSES, ProductKind
from app.domain.orders.models import Order, OrderLine
from app.domain.recharges import queries as recharges
from app.domain.recharges.models import Attempt, AttemptState, Recharge, RechargeState
from app.domain.redemptions import links, passes, service
from app.domain.redemptions import queries as redemptions
from app.domain.redemptions.models import Redemption, RedemptionState
from app.domain.redemptions.service import Standing
from app.domain.vault import queries as vault
from app.web import rules_of_use


@dataclass(frozen=True)
class RechargeView:
    """A recharge as its buyer follows it: `stage` counts from 1 (paid) to 4 (arrived)."""

    account: str
    state: str
    stage: int
    since: datetime | None
    may_correct: bool
    serial: str = ""
    attempts: int = 0


def recharge_of(recharge: Recharge | None, account: str, paid_at: datetime | None) -> RechargeView:
    """What is known of a recharge now; one that no worker has begun yet is queued."""
    if recharge is None:
        return RechargeView(account, "queued", 2, paid_at, may_correct=False)
    attempts = recharges.attempts_of(recharge.id)
    last = attempts[-1] if attempts else None
    state, stage = _stage(recharge, last)
    return RechargeView(
        account=recharge.account_masked,
        state=state,
        stage=stage,
        since=recharge.settled_at or (last.sent_at if last else recharge.created_at),
        may_correct=recharge.state == RechargeState.QUEUED,
        serial=last.serial if last and recharge.state == RechargeState.DELIVERED else "",
        attempts=len(attempts),
    )


def _stage(recharge: Recharge, last: Attempt | None) -> tuple[str, int]:
    if recharge.state == RechargeState.DELIVERED:
        return "delivered", 5
    if recharge.state == RechargeState.FAILED:
        return "failed", 3
    if recharge.state == RechargeState.REVIEW:
        return "review", 3
    if recharge.state == RechargeState.QUEUED or last is None:
        return ("rerouted", 2) if last is not None else ("queued", 2)
    if last.state == AttemptState.UNKNOWN:
        return "unknown", 3
    return ("pending", 3) if last.state == AttemptState.PENDING else ("sending", 2)


def recharges_of(order: Order) -> dict[int, RechargeView]:
    """The recharges that this order's lines are, by line."""
    lines = [line for line in order.lines if line.kind == ProductKind.RECHARGE]
    if not lines or order.paid_at is None:
        return {}
    found = recharges.of_lines([line.id for line in lines])
    return {
        line.id: recharge_of(found.get(line.id), line.account_masked, order.paid_at)
        for line in lines
    }


@dataclass(frozen=True)
class CodeView:
    """A code that is redeemed here: what it may still be used for, and how."""

    code_id: int
    last_four: str
    kind: ProductKind
    standing: Standing
    uses: Sequence[Redemption]
    recharge: RechargeView | None

    @property
    def why_not(self) -> str:
        """Why it cannot be used now and what to do, empty when it can."""
        return rules_of_use.said(self.standing.answer) if self.standing.answer else ""

    @property
    def slug(self) -> str:
        return self.standing.answer.slug if self.standing.answer else ""

    @property
    def link(self) -> str:
        """The token of its one-click link."""
        return links.token_of(self.standing.found.code.uid)

    @property
    def total(self) -> int | None:
        return self.standing.found.policy.uses_total

    @property
    def left(self) -> int | None:
        return self.standing.uses_left

    @property
    def ends_at(self) -> datetime | None:
        return self.standing.judgement.ends_at

    @property
    def rules(self) -> list[str]:
        return rules_of_use.sentences(self.standing.found.policy)

    @property
    def is_pass(self) -> bool:
        return self.kind in PASSES

    @property
    def qr(self) -> str:
        """The QR code to show at the counter now: good for half a minute or so."""
        text = passes.showing(self.standing.found.code.uid)
        return segno.make_qr(text, error="m", boost_error=False).svg_data_uri(border=2, scale=4)


def codes_of(line: OrderLine) -> list[CodeView]:
    """The codes of one line, for their owner's eyes."""
    return [code_view(code.id) for code, _ in vault.sold_codes_of(line.id)]


def code_view(code_id: int) -> CodeView:
    """One code as its owner sees it; raises Unusable."""
    standing = service.standing(code_id)
    found = standing.found
    return CodeView(
        code_id, found.code.last_four, found.product.kind, standing, found.uses, _recharge(standing)
    )


@dataclass(frozen=True)
class UsesLeft:
    """How many uses a line's passes have left, of how many."""

    left: int
    total: int


def uses_left(orders: Sequence[Order]) -> dict[int, UsesLeft]:
    """What is left of every pass with a number of uses among these orders, by line."""
    lines = [
        line
        for order in orders
        for line in order.lines
        if line.kind in PASSES and line.delivered_at is not None
    ]
    if not lines:
        return {}
    used = redemptions.counted_uses_of([line.id for line in lines])
    totals = {line.id: redemptions.policy_of(line).uses_total for line in lines}
    return {
        line.id: UsesLeft(total * line.quantity - used.get(line.id, 0), total * line.quantity)
        for line in lines
        if (total := totals[line.id]) is not None
    }


def _recharge(standing: Standing) -> RechargeView | None:
    """What a code was redeemed for, or what nobody could deliver while it can be tried again."""
    found = standing.found
    if found.product.kind != ProductKind.REDEEM:
        return None
    last = next(iter(redemptions.history_of(found.code.id)), None)
    if last is None:
        return None
    is_given_back = last.state == RedemptionState.FAILED and standing.answer is None
    if not (last.counts or is_given_back):
        return None
    row = recharges.of_redemptions([last.id]).get(last.id)
    view = recharge_of(row, last.account_masked, last.at)
    return replace(view, state="given_back") if is_given_back else view


def is_moving(views: Sequence[CodeView]) -> bool:
    """Whether any of them changes by itself: the page that shows it asks again."""
    return any(use.state == RedemptionState.PENDING for view in views for use in view.uses)
