"""Codes that may have leaked were exchanged: their buyer hears so once, without seeing any."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from app.core import clock
from app.core.db import session, transaction
from app.domain.redemptions import replacing
from app.domain.vault import alarms, batches, own_codes
from app.domain.vault.alarm_models import AlarmKind
from app.domain.vault.models import Batch
from tests import factories
from tests.domain.messages.conftest import Post

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def test_it_is_told_once_an_order(post: Post) -> None:
    product = factories.make_product(codes=3)
    batch_id = session.scalars(sa.select(Batch.id)).one()
    post.buy(product, quantity=3)
    post.work()
    codes = own_codes.generate(3)

    def leak() -> int:
        batches.freeze(batch_id, reason="诱饵被使用")
        factories.add_batch(product, codes)
        touch = alarms.Touch("typed", "203.0.113.0/24")
        alarm = alarms.raise_alarm(AlarmKind.CANARY, f"batch:{batch_id}", touch, batch_id)
        replacing.start(alarm.id, clock.now() - timedelta(days=1), reason="疑似泄漏")
        return alarm.id

    transaction(leak)
    post.work()

    assert post.states() == [("arrived", "sent"), ("replaced", "sent")]
    text = post.server.mailbox.text()
    assert "免费为你换了新的" in text and not any(code in text for code in codes)
