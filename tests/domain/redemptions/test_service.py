"""A code is used as often as it says, by whoever may, and a use that failed is given back."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
import sqlalchemy as sa
import time_machine
from flask import Flask

from app.core import clock, ids
from app.core.db import session, transaction
from app.core.errors import Conflict, Refusal
from app.domain.accounts.throttling import TooSoon
from app.domain.catalog import offers
from app.domain.catalog.models import AccountFormat, Product, ProductKind
from app.domain.catalog.offers import OfferFields
from app.domain.catalog.recharge_accounts import RechargeAccount
from app.domain.orders import refunding
from app.domain.orders.models import Order
from app.domain.recharges import queries as recharges
from app.domain.recharges.models import RechargeState
from app.domain.redemptions import aftersales, guessing, links, passes, policies, queries, service
from app.domain.redemptions.answers import Unusable, for_stranger
from app.domain.redemptions.models import Redemption, RedemptionState, Way
from app.domain.redemptions.validity import Anchor, Policy
from app.domain.risk.visits import Visit
from app.domain.vault import batches, own_codes
from app.domain.vault.models import Code, CodeState
from app.providers.recharges.interface import Outcome
from tests import factories
from tests.fake_provider import ObedientProvider, add_provider, speaking

ACCOUNT = RechargeAccount(AccountFormat.PHONE, "13912345678")
SOMEBODY = Visit("", "net-1", "device-1")


@pytest.fixture(autouse=True)
def _audited(app: Flask, audited: None, channel: object) -> None:
    """Whatever a test does, everything that must always be true still is."""


def code_of(order: Order) -> Code:
    session.rollback()
    line = factories.fresh(order).lines[0]
    return session.scalars(sa.select(Code).where(Code.order_line_id == line.id)).one()


def buy_pass(uses: int = 3, **rules: object) -> int:
    """A multi-use pass that was bought; its code's id."""
    product = factories.make_product(
        codes=1,
        kind=ProductKind.MULTI,
        policy=Policy(uses_total=uses, **rules),  # type: ignore[arg-type]
    )
    return code_of(factories.buy(product)).id


def take(code_id: int, key: str = "", step: int | None = None) -> Redemption:
    return transaction(lambda: service.take_use(code_id, key or ids.token(), shown_step=step))


def why_not(code_id: int) -> str:
    session.rollback()
    session.expire_all()
    answer = service.standing(code_id).answer
    return answer.slug if answer else ""


# Passes


def test_three_uses_and_the_fourth_is_refused_with_a_reason() -> None:
    code_id = buy_pass(uses=3)
    assert [take(code_id).use_number for _ in range(3)] == [1, 2, 3]

    with pytest.raises(Unusable) as refused:
        take(code_id)

    assert refused.value.answer.slug == "code-used"
    session.rollback()
    assert session.get_one(Code, code_id).state == CodeState.EXHAUSTED


def test_a_double_tap_takes_one() -> None:
    code_id = buy_pass()
    key = ids.token()
    assert take(code_id, key).id == take(code_id, key).id
    session.rollback()
    assert len(queries.uses_of(code_id)) == 1


def test_one_showing_is_good_for_one_use() -> None:
    code_id = buy_pass()
    take(code_id, step=77)
    with pytest.raises(Conflict):
        take(code_id, step=77)
    assert take(code_id, step=78).use_number == 2


def test_a_slip_is_undone_and_the_use_can_be_taken_again() -> None:
    code_id = buy_pass(uses=1)
    use = take(code_id)
    transaction(lambda: service.undo(use.id, "扫错人了"))
    assert why_not(code_id) == ""
    assert take(code_id).use_number == 1
    assert len(queries.history_of(code_id)) == 2


def test_what_was_undone_is_not_undone_twice_nor_late() -> None:
    code_id = buy_pass(undo_within=timedelta(minutes=15))
    first, second = take(code_id), take(code_id)
    transaction(lambda: service.undo(first.id, "扫错了"))
    with pytest.raises(Conflict):
        transaction(lambda: service.undo(first.id, "再来一次"))
    with (
        time_machine.travel(clock.now() + timedelta(minutes=16)),
        pytest.raises(Conflict),
    ):
        transaction(lambda: service.undo(second.id, "太晚了"))


def test_a_frozen_batch_stops_its_passes_and_says_so() -> None:
    code_id = buy_pass()
    session.rollback()
    batch_id = session.get_one(Code, code_id).batch_id
    session.rollback()
    transaction(lambda: batches.freeze(batch_id, reason="供应商有问题"))
    assert why_not(code_id) == "code-frozen"


def test_rules_that_change_leave_what_was_sold_as_it_was() -> None:
    code_id = buy_pass(uses=3)
    session.rollback()
    found = queries.find(code_id)
    assert found is not None
    product_id = found.product.id
    session.rollback()
    version = transaction(lambda: policies.set_policy(product_id, Policy(uses_total=1)))
    assert version.version == 2
    assert [take(code_id).use_number for _ in range(3)] == [1, 2, 3]


def test_a_use_a_day() -> None:
    code_id = buy_pass(uses=9, uses_per_day=1)
    take(code_id)
    assert why_not(code_id) == "code-day-limit"
    with time_machine.travel(clock.now() + timedelta(days=1)):
        assert take(code_id).use_number == 2


def test_it_begins_with_its_first_use() -> None:
    code_id = buy_pass(uses=9, anchor=Anchor.FIRST_USED, duration="P30D")
    with time_machine.travel(clock.now() + timedelta(days=300)):
        take(code_id)
    with time_machine.travel(clock.now() + timedelta(days=329)):
        take(code_id)
    with time_machine.travel(clock.now() + timedelta(days=332)):
        assert why_not(code_id) == "code-expired"


def test_a_pass_is_shown_for_a_short_while() -> None:
    code_id = buy_pass()
    session.rollback()
    uid = session.get_one(Code, code_id).uid
    shown = passes.showing(uid)
    assert passes.read(shown)[0] == code_id
    with (
        time_machine.travel(clock.now() + timedelta(minutes=2)),
        pytest.raises(Conflict),
    ):
        passes.read(shown)
    with pytest.raises(Refusal):
        passes.read(shown[:-2] + ("AA" if not shown.endswith("AA") else "BB"))
    with pytest.raises(Refusal):
        passes.read(passes.PREFIX + "nonsense")


# Redeem codes


@dataclass
class Redeemed:
    provider: ObedientProvider = field(default_factory=ObedientProvider)
    product: Product = field(init=False)

    def buy(self) -> int:
        return code_of(factories.buy(self.product)).id

    def redeem(self, code_id: int, key: str = "") -> Redemption:
        key = key or ids.token()
        return transaction(lambda: service.redeem(code_id, ACCOUNT, Way.TYPED, key))


@pytest.fixture
def shop(app: Flask) -> Iterator[Redeemed]:
    made = Redeemed()
    with speaking(one=made.provider):
        provider = add_provider("one")
        made.product = factories.make_product(
            codes=3, kind=ProductKind.REDEEM, account_format=AccountFormat.PHONE
        )
        transaction(lambda: offers.add_offer(made.product.id, OfferFields(provider.id, "S", 100)))
        factories.work()
        yield made


def state_of(use: Redemption) -> RedemptionState:
    session.rollback()
    session.expire_all()
    return session.get_one(Redemption, use.id).state


def test_redeemed_and_it_has_arrived(shop: Redeemed) -> None:
    code_id = shop.buy()
    use = shop.redeem(code_id)
    assert why_not(code_id) == "code-recharging"

    factories.work()

    assert state_of(use) == RedemptionState.SUCCEEDED
    assert shop.provider.sent[0].account.reveal() == ACCOUNT.value
    assert why_not(code_id) == "code-used"


def test_nobody_redeems_it_twice(shop: Redeemed) -> None:
    code_id = shop.buy()
    shop.redeem(code_id)
    with pytest.raises(Unusable) as refused:
        shop.redeem(code_id)
    assert refused.value.answer.slug == "code-recharging"
    factories.work()
    with pytest.raises(Unusable) as refused:
        shop.redeem(code_id)
    assert refused.value.answer.slug == "code-used"
    assert len(shop.provider.sent) == 1


def test_the_same_form_again_is_the_same_redemption(shop: Redeemed) -> None:
    code_id, key = shop.buy(), ids.token()
    assert shop.redeem(code_id, key).id == shop.redeem(code_id, key).id


def test_refused_by_all_the_code_can_be_used_again(shop: Redeemed) -> None:
    shop.provider.submits = [Outcome.REFUSED]
    code_id = shop.buy()
    use = shop.redeem(code_id)
    factories.work()
    assert state_of(use) == RedemptionState.FAILED
    assert recharges.of_redemptions([use.id])[use.id].state == RechargeState.FAILED
    assert why_not(code_id) == ""
    shop.provider.submits = [Outcome.DELIVERED]
    again = shop.redeem(code_id)
    factories.work()
    assert state_of(again) == RedemptionState.SUCCEEDED


def test_a_refunded_code_is_void(shop: Redeemed) -> None:
    order = factories.buy(shop.product)
    code_id = code_of(order).id
    line_id = factories.fresh(order).lines[0].id
    session.rollback()
    transaction(lambda: refunding.request_refund(order.id, line_id, factories.PRICE, "不要了"))
    factories.work()
    assert why_not(code_id) == "code-void"


def test_a_link_is_for_its_code_and_cannot_be_made_up(shop: Redeemed) -> None:
    code_id = shop.buy()
    session.rollback()
    uid = session.get_one(Code, code_id).uid
    token = links.token_of(uid)
    assert links.code_id_of(token) == code_id
    forged = [token[:-3] + "AAA", token[1:], "", "%%%", links.token_of(bytes(16))]
    for wrong in forged:
        with pytest.raises(Unusable):
            links.code_id_of(wrong)


def test_an_account_of_another_format_is_refused(shop: Redeemed) -> None:
    code_id = shop.buy()
    with pytest.raises(Refusal) as refused:
        transaction(
            lambda: service.redeem(
                code_id, RechargeAccount(AccountFormat.QQ, "12345"), Way.TYPED, ids.token()
            )
        )
    assert refused.value.field == "account"


# Typed codes


def plain_code() -> tuple[int, str]:
    """A redeemable code that was sold, and its text."""
    (text,) = own_codes.generate(1)

    product = factories.make_product(codes=0, kind=ProductKind.MULTI, policy=Policy(uses_total=2))
    transaction(lambda: factories.add_batch(product, [text]))
    return code_of(factories.buy(product)).id, text


def test_it_is_found_however_it_is_typed() -> None:
    code_id, text = plain_code()
    wide = "".join(chr(ord(symbol) + 0xFEE0) for symbol in text.replace("-", ""))
    for typed in (text, text.lower(), text.replace("-", " "), f"  {text} ", wide):
        assert guessing.read(typed, SOMEBODY) == code_id


def test_a_slip_is_told_apart_and_costs_nothing() -> None:
    _, text = plain_code()
    wrong = text[:-1] + ("A" if text[-1] != "A" else "B")
    for _ in range(40):
        with pytest.raises(Unusable) as refused:
            guessing.read(wrong, SOMEBODY)
        assert refused.value.answer.slug == "code-malformed"


def test_guessing_is_slowed_down_for_the_guesser_and_not_for_others() -> None:
    _, text = plain_code()
    guesses = own_codes.generate(30)
    heard = []
    for guess in guesses:
        try:
            guessing.read(guess, SOMEBODY)
        except Unusable as no:
            heard.append(no.answer.slug)
        except TooSoon:
            break
    assert 5 <= len(heard) <= 12
    assert set(heard) == {"code-not-found"}
    guessing.read(text, Visit("", "net-2", "device-2"))
    with pytest.raises(TooSoon):
        # Another network with the same device is the same guesser.
        guessing.read(guesses[-1], Visit("", "net-3", "device-1"))


def test_a_stranger_learns_three_things_at_most() -> None:
    code_id = buy_pass(uses=1)
    take(code_id)
    session.rollback()
    answer = service.standing(code_id).answer
    assert answer is not None
    assert for_stranger(answer).slug == "code-unusable"
    assert for_stranger(answer).params == {}


def test_a_code_that_was_not_sold_is_not_there() -> None:
    product = factories.make_product(codes=1, kind=ProductKind.REDEEM, account_format="phone")
    session.rollback()
    code_id = session.scalars(sa.select(Code.id)).one()
    session.rollback()
    assert product.id
    with pytest.raises(Unusable) as refused:
        service.standing(code_id)
    assert refused.value.answer.slug == "code-not-found"


# What support gives back


def line_of(code_id: int) -> tuple[int, int]:
    """The order and the line that a code was sold to."""
    session.rollback()
    found = queries.find(code_id)
    assert found is not None
    ids_of = (found.order.id, found.line.id)
    session.rollback()
    return ids_of


def test_no_money_back_while_its_benefit_may_still_arrive(shop: Redeemed) -> None:
    shop.provider.submits = [Outcome.PENDING]
    code_id = shop.buy()
    shop.redeem(code_id)
    factories.work()
    order_id, line_id = line_of(code_id)
    with pytest.raises(Conflict):
        transaction(lambda: aftersales.request_refund(order_id, line_id, factories.PRICE, "不要了"))


def test_refunded_after_use_it_is_gone_for_good(shop: Redeemed) -> None:
    code_id = shop.buy()
    shop.redeem(code_id)
    factories.work()
    order_id, line_id = line_of(code_id)
    transaction(lambda: aftersales.request_refund(order_id, line_id, factories.PRICE, "赔给她"))
    factories.work()
    assert why_not(code_id) == "code-void"


def test_a_used_pass_is_not_exchanged_for_a_fresh_one() -> None:
    code_id = buy_pass(uses=3)
    take(code_id)
    order_id, line_id = line_of(code_id)
    with pytest.raises(Conflict):
        transaction(
            lambda: aftersales.replace_code(
                order_id, code_id, line_id, "坏了", clock.today(factories.ZONE)
            )
        )


def test_a_void_batch_leaves_what_was_sold_to_its_buyer() -> None:
    code_id = buy_pass()
    session.rollback()
    batch_id = session.get_one(Code, code_id).batch_id
    session.rollback()
    transaction(lambda: batches.void(batch_id, reason="不再出售"))
    assert why_not(code_id) == ""


def test_a_showing_that_was_undone_is_not_good_again() -> None:
    code_id = buy_pass()
    use = take(code_id, step=7)
    transaction(lambda: service.undo(use.id, "扫错了"))
    with pytest.raises(Conflict):
        take(code_id, step=7)


def test_guesses_at_other_peoples_codes_count_too() -> None:
    """An imported code of eight digits has no check symbols: each try costs one."""
    heard = 0
    for number in range(40):
        try:
            guessing.read(f"{number:08d}", SOMEBODY)
        except Unusable:
            heard += 1
        except TooSoon:
            break
    assert heard <= 12
