"""What people type when they do not care how wide a phone is."""

import sqlalchemy as sa

from app.core.db import session
from app.domain.accounts.models import Person
from app.domain.catalog import preferences
from app.domain.catalog.models import Category, Product
from app.domain.channels.models import Distributor, Plan, Tier
from app.domain.orders.models import OrderLine, Problem, Refund
from app.domain.payouts.models import PayoutAccount, Withdrawal
from app.domain.risk.models import Case, ListEntry
from app.domain.vault.models import Batch, Import

LATIN = "Pneumonoultramicroscopicsilicovolcanoconiosis" * 4
CHINESE = "名字长得离谱、怎么也写不完的商品" * 12
# What people name, and how many symbols of it the shop takes.
NAMES = (
    (Product.name, 80),
    (Product.summary, 120),
    (OrderLine.product_name, 80),
    (Category.name, 20),
    (Batch.name, 60),
    (Batch.supplier, 60),
    (Batch.note, 180),
    (Import.file_name, 120),
    (Person.name, 30),
    (Distributor.name, 30),
    (Distributor.introduction, 180),
    (Distributor.state_reason, 180),
    (Tier.name, 20),
    (Plan.note, 60),
    (Problem.text, 180),
    (Refund.reason, 180),
    (PayoutAccount.bank, 60),
    (PayoutAccount.branch, 60),
    (Withdrawal.reason, 180),
    (Withdrawal.reference, 60),
    (ListEntry.reason, 180),
    (Case.note, 180),
)


def name_everything() -> None:
    """In one word, and in one sentence without a space."""
    for column, most in NAMES:
        table = column.class_
        long = sa.case((table.id % 2 == 0, LATIN[:most]), else_=CHINESE[:most])
        session.execute(sa.update(table).values({column: long}))
    preferences.change({"name": LATIN[:30], "support": LATIN, "announcement": CHINESE})
