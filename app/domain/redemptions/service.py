"""The verbs of redemption: look at a code, use it, give a use back.

A use is decided under the code's lock and written as a row with a number of its own; the database
refuses two uses with one number, whatever the code above it believes.
"""

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from app.core import audit, clock, ids, keys
from app.core.actors import actor
from app.core.crypto import Secret
from app.core.db import require_transaction, session
from app.core.errors import N_, Conflict, NotFound, Refusal
from app.core.outbox import hasten, later
from app.core.states import move
from app.domain.catalog import preferences
from app.domain.catalog.models import PASSES, ProductKind
from app.domain.catalog.recharge_accounts import RechargeAccount
from app.domain.orders import telling
from app.domain.orders.models import Order, OrderLine
from app.domain.redemptions import answers, queries
from app.domain.redemptions.answers import Answer, Unusable
from app.domain.redemptions.models import Redemption, RedemptionState, RollBack, Way
from app.domain.redemptions.queries import Found
from app.domain.redemptions.validity import Anchor, Judgement, judge
from app.domain.vault import own_codes
from app.domain.vault.models import BatchState, CodeState


@dataclass(frozen=True)
class Standing:
    """A code as it stands now: `answer` is None when it may be used, else why not."""

    found: Found
    judgement: Judgement
    answer: Answer | None

    @property
    def uses_left(self) -> int | None:
        return self.judgement.uses_left


def read(text: str) -> int:
    """The code that somebody typed; raises Unusable: malformed, or not found.

    One of ours that cannot be right is told apart without asking the database.
    """
    code_id = queries.code_id_of(text)
    if code_id is not None:
        return code_id
    typed = own_codes.explain(text)
    if typed.problem:
        raise Unusable(answers.malformed(typed.problem, typed.params))
    raise Unusable(answers.NOT_FOUND)


def standing(code_id: int) -> Standing:
    """A code for its owner's eyes: everything there is to know. Raises Unusable, not found."""
    return _standing(_found(code_id), clock.now())


def redeem(code_id: int, account: RechargeAccount, way: Way, key: str) -> Redemption:
    """Use up a redeem code: its benefit goes to `account`. Raises Unusable, Refusal.

    The same `key` again gives the same redemption, whatever account was sent with it.
    """
    require_transaction()
    already = queries.find_by_key(_form_key(code_id, key))
    if already is not None:
        return already
    found = _usable(code_id, ProductKind.REDEEM)
    if account.format != found.product.account_format:
        raise Refusal(N_("请填写要充值的账号"), field="account")
    redemption = _use(found, way, key, RedemptionState.PENDING)
    redemption.account_masked = account.masked
    redemption.account_sealed = seal_account(redemption.key, account.secret)
    session.flush()
    later(
        "app.domain.recharges.jobs.recharge_redemption",
        redemption.id,
        key=recharge_key(redemption.id),
    )
    return redemption


def take_use(code_id: int, key: str, *, shown_step: int | None = None) -> Redemption:
    """Take a use off a pass at the counter. Raises Unusable, Conflict.

    `shown_step` says which showing of the QR code was scanned: each is good for one use.
    """
    require_transaction()
    already = queries.find_by_key(_form_key(code_id, key))
    if already is not None:
        return already
    found = _usable(code_id, *PASSES)
    if shown_step is not None and any(
        use.shown_step == shown_step for use in queries.history_of(code_id)
    ):
        raise Conflict(N_("这个二维码刚刚已经核销过，请让顾客刷新后再扫"))
    use = _use(found, Way.COUNTER, key, RedemptionState.SUCCEEDED)
    use.shown_step = shown_step
    use.settled_at = use.at
    audit.record("pass.use", "codes", code_id, use=use.use_number)
    session.flush()
    return use


def undo(redemption_id: int, reason: str) -> None:
    """Give a use at the counter back, within the time its rules allow. Raises Refusal, Conflict."""
    redemption = lock(redemption_id)
    if redemption.way != Way.COUNTER or not redemption.counts:
        raise Conflict(N_("这次核销已经撤销过，或不是在柜台核销的"))
    found = _found(redemption.code_id)
    if clock.now() - redemption.at > found.policy.undo_within:
        raise Conflict(N_("已超过可以撤销的时间"))
    roll_back(redemption, reason)
    audit.record("pass.undo", "codes", redemption.code_id, reason=reason.strip())


def roll_back(redemption: Redemption, reason: str) -> None:
    """Give a use back: a row of its own, and the use counts no more. Raises Refusal."""
    if len(reason.strip()) < 2:
        raise Refusal(N_("请写明原因"), field="reason")
    redemption.counts = False
    # The number of the showing is free again only with a new showing: the old one was seen.
    session.add(RollBack(redemption_id=redemption.id, reason=reason.strip(), actor=actor()))
    session.flush()
    _reopen(redemption.code_id)


def succeeded(redemption_id: int) -> None:
    """The benefit has arrived. Saying so twice changes nothing."""
    redemption = lock(redemption_id)
    if redemption.state == RedemptionState.PENDING:
        move(redemption, RedemptionState.SUCCEEDED)
        redemption.settled_at = clock.now()


def failed(redemption_id: int, reason: str) -> None:
    """Nobody could deliver it: the use is given back, and the code can be used again."""
    redemption = lock(redemption_id)
    if redemption.state != RedemptionState.PENDING:
        return
    redemption.counts = False
    move(redemption, RedemptionState.FAILED, reason)
    redemption.settled_at = clock.now()
    session.flush()
    _reopen(redemption.code_id)
    line = session.get_one(OrderLine, redemption.order_line_id)
    telling.given_back(session.get_one(Order, line.order_id), redemption.id)


def lock(redemption_id: int) -> Redemption:
    """A use, locked and read afresh, after its order and its code as everywhere."""
    redemption = queries.find_redemption(redemption_id)
    if queries.find(redemption.code_id, lock=True) is None:
        raise NotFound
    return session.get_one(Redemption, redemption_id, with_for_update=True, populate_existing=True)


def recharge_key(redemption_id: int) -> str:
    """The outbox key of the job that recharges what a code was redeemed for."""
    return f"recharge:redemption:{redemption_id}"


def seal_account(key: bytes, account: Secret) -> bytes:
    """The account that a redemption is for, sealed to it."""
    return keys.seal_personal(account.reveal(), "redemptions", "account", key)


def open_account(redemption: Redemption) -> Secret:
    """The inverse; raises Tampered."""
    assert redemption.account_sealed is not None
    return keys.open_personal(redemption.account_sealed, "redemptions", "account", redemption.key)


def _found(code_id: int, *, lock_: bool = False) -> Found:
    found = queries.find(code_id, lock=lock_)
    if found is None:
        raise Unusable(answers.NOT_FOUND)
    return found


def _standing(found: Found, now: datetime) -> Standing:
    zone = ZoneInfo(preferences.get().zone)
    judgement = judge(found.policy, found.history, now, zone)
    return Standing(found, judgement, _why_not(found, judgement))


def _why_not(found: Found, judgement: Judgement) -> Answer | None:
    """The first reason in the order of field-notes §1.2, or None."""
    if found.product.kind == ProductKind.KEY:
        return answers.ELSEWHERE
    # Voiding a batch voids what is on the shelf; what was sold stays its buyer's.
    if found.code.state == CodeState.VOID:
        return answers.VOID
    if found.code.state == CodeState.FROZEN or found.batch.state == BatchState.FROZEN:
        return answers.FROZEN
    if queries.is_frozen(found.code):
        return answers.FROZEN
    pending = next((use for use in found.uses if use.state == RedemptionState.PENDING), None)
    if pending is not None:
        return answers.recharging(pending.at, pending.account_masked)
    if not judgement.allowed:
        last = found.uses[-1] if found.uses else None
        at, account = (last.at, last.account_masked) if last else (None, "")
        return answers.of(judgement, at, account)
    return None


def _usable(code_id: int, *kinds: ProductKind) -> Found:
    """The code, locked, when it may be used now and in this way; raises Unusable."""
    found = _found(code_id, lock_=True)
    answer = _standing(found, clock.now()).answer
    if answer is not None:
        raise Unusable(answer)
    if found.product.kind not in kinds:
        raise Unusable(answers.WRONG_PRODUCT)
    return found


def _form_key(code_id: int, key: str) -> bytes:
    """What knows a form again. Of this code alone: whoever sends the key of her own redemption with
    another's code has redeemed nothing of it."""
    return ids.hash_token(f"{code_id}:{key}")


def _use(found: Found, way: Way, key: str, state: RedemptionState) -> Redemption:
    taken = {use.use_number for use in found.uses}
    number = next(n for n in range(1, len(taken) + 2) if n not in taken)
    redemption = Redemption(
        key=_form_key(found.code.id, key),
        code_id=found.code.id,
        order_line_id=found.line.id,
        state=state,
        way=way,
        use_number=number,
        actor=actor(),
        at=clock.now(),
    )
    session.add(redemption)
    total = found.policy.uses_total
    if total is not None and len(taken) + 1 >= total:
        move(found.code, CodeState.EXHAUSTED)
    session.flush()
    if not taken and found.policy.anchor in (Anchor.ACTIVATED, Anchor.FIRST_USED):
        # Only now it is known when it ends.
        hasten(telling.key("expiring", found.line.id))
    return redemption


def _reopen(code_id: int) -> None:
    found = _found(code_id)
    if found.code.state == CodeState.EXHAUSTED:
        move(found.code, CodeState.SOLD)
