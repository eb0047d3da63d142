"""What a code was redeemed for could not be had: its buyer hears that the use was given back."""

from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from app.core import ids
from app.core.db import session, transaction
from app.domain.catalog import offers
from app.domain.catalog.models import AccountFormat, Product, ProductKind
from app.domain.catalog.offers import OfferFields
from app.domain.catalog.recharge_accounts import RechargeAccount
from app.domain.redemptions import service as redemptions
from app.domain.redemptions.models import Redemption, Way
from app.domain.vault.models import Code
from app.providers.recharges.interface import Outcome
from tests import factories
from tests.domain.messages.conftest import Post
from tests.fake_provider import ObedientProvider, add_provider, speaking

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def supplier() -> ObedientProvider:
    return ObedientProvider()


@pytest.fixture
def product(post: Post, supplier: ObedientProvider) -> Iterator[Product]:
    """A code for a benefit that one supplier delivers."""
    with speaking(one=supplier):
        provider = add_provider("one")
        made = factories.make_product(kind=ProductKind.REDEEM, account_format=AccountFormat.PHONE)
        transaction(lambda: offers.add_offer(made.id, OfferFields(provider.id, "S", 100)))
        yield made


def redeem(code_id: int) -> Redemption:
    account = RechargeAccount.parse(AccountFormat.PHONE, "13912345678")
    return transaction(lambda: redemptions.redeem(code_id, account, Way.TYPED, ids.token()))


def bought(post: Post, product: Product) -> int:
    order = post.buy(product)
    factories.work()
    return session.scalars(sa.select(Code.id).where(Code.order_line_id == order.lines[0].id)).one()


def test_it_is_told(post: Post, product: Product, supplier: ObedientProvider) -> None:
    supplier.submits = [Outcome.REFUSED]
    redeem(bought(post, product))
    post.work()
    assert post.states() == [("arrived", "sent"), ("given_back", "sent")]
    assert "这一次使用已经退回" in post.server.mailbox.text()


def test_who_has_tried_again_is_not_told(post: Post, product: Product) -> None:
    code_id = bought(post, product)
    first = redeem(code_id)
    transaction(lambda: redemptions.failed(first.id, "供应商拒绝"))
    redeem(code_id)
    post.work()
    assert post.states() == [("arrived", "sent")]
