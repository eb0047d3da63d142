"""A void batch is shredded: no key of it is left, and that is said and not a breach."""

import pytest
import sqlalchemy as sa
from flask import Flask

from app import invariants
from app.core import keys
from app.core.audit import AuditEntry
from app.core.db import session, transaction
from app.core.errors import Conflict, Refusal
from app.core.keys import DataKeyRow
from app.domain.orders import queries
from app.domain.vault import batches, rotating, service, shredding
from app.domain.vault.models import Batch, Code
from tests import factories
from tests.domain.vault import imports
from tests.test_backup import code_of

pytestmark = pytest.mark.usefixtures("audited", "channel")
WHY = "整批泄漏，永不再用"


def test_a_shredded_batch_opens_for_nobody(app: Flask) -> None:
    product = factories.make_product(codes=0)
    batch = imports.batch_of(imports.bring(product, "\n".join(f"AB-{n:05}" for n in range(25))))
    order = factories.buy(product)
    kept = factories.buy(factories.make_product())
    number, kept_code = order.number, code_of(kept)
    rotation_id = transaction(rotating.begin).id
    rotating.replace_keys(rotation_id)
    generations = keys.with_older([session.get_one(Batch, batch.id).data_key_id])

    def shred(reason: str = WHY) -> None:
        session.rollback()
        transaction(lambda: shredding.shred(batch.id, reason=reason))

    with pytest.raises(Conflict, match="只有已作废的批次"):
        shred()
    transaction(lambda: batches.void(batch.id, reason=WHY))
    with pytest.raises(Refusal, match="请写明原因"):
        shred(" ")
    shred()

    assert len(generations) == 2
    wrapped = sa.select(DataKeyRow.wrapped).where(DataKeyRow.id.in_(generations))
    assert session.scalars(wrapped).all() == [None, None]
    with pytest.raises(Conflict, match="已被彻底销毁"):
        code_of(queries.find(number))
    code = session.scalars(sa.select(Code).where(Code.batch_id == batch.id)).first()
    assert code is not None
    code_id = code.id
    with pytest.raises(Conflict, match="已被彻底销毁"):
        transaction(
            lambda: service.reveal_to_staff(
                session.get_one(Code, code_id), None, reason="核对坏卡", ip="::1"
            )
        )
    with pytest.raises(Conflict, match="已经销毁"):
        shred()
    entry = session.scalars(sa.select(AuditEntry).where(AuditEntry.action == "batch.shred")).one()
    assert (entry.reason, entry.detail) == (WHY, {"keys": 2, "codes": 25})
    # The rotation passes it over and ends as it would have.
    factories.work()
    assert code_of(queries.find(kept.number)) == kept_code
    shut = next(one for one in invariants.run() if one.name.startswith("shredded"))
    assert (shut.looked_at, shut.breaches) == (25, 0)
