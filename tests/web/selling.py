"""What stands in the furnished house of those who sell, and in its books.

Each function makes it and says what the addresses of its pages name.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
import time_machine

from app.core import clock
from app.core.db import session, transaction
from app.domain.accounts.models import Person
from app.domain.catalog import preferences
from app.domain.catalog.models import Product
from app.domain.channels import commission, figures, links, plans
from app.domain.channels.models import CommissionState, Distributor
from app.domain.ledger import closing
from app.domain.orders import channel_statements, remittances
from app.domain.orders import queries as orders
from app.domain.orders.statement_files import TheirLine
from app.domain.orders.statement_models import ChannelStatementRow, LineKind
from app.domain.payouts import invoices, paying, queries, statements
from tests import channels, earning, factories, paying_out, sellers, trade


def distributors() -> dict[str, Any]:
    """One who sells, one under her who asks to, and an invitation that nobody has used."""
    parent = sellers.join("阿岚")
    return {
        "admin.distributors.uid": sellers.apply("小北", parent).uid,
        "portal.application.token": sellers.token_of(parent),
        "tier_id": parent.tier_id,
    }


def earnings(product: Product, buyer: Person, recharged: str) -> dict[str, Any]:
    """The holder sells, with one under her: a link, something earned, something on its way.

    `recharged` is the number of an order that is not delivered yet.
    """
    seller = sellers.make(buyer)
    sellers.make(parent_id=seller.id)
    first, second = (earning.attributed(product, seller) for _ in range(2))
    third = earning.attribute(orders.find(recharged), seller)
    one = earning.earn(first, seller)
    earning.earn(second, seller, CommissionState.HOLDING, held_for=timedelta(days=7))
    earning.earn(third, seller, CommissionState.PENDING)
    link = transaction(lambda: links.link_of(seller, None))
    return {
        "portal.earnings.commission_id": one.id,
        "portal.share.code": link.code,
        "shop.referral.code": link.code,
    }


def commissions(product: Product) -> dict[str, Any]:
    """One that can be withdrawn, and a draft with a rule."""
    seller = sellers.make()
    placed = channels.place(product, seller, channels.published_plan({"percent_bp": 1000}))
    assert placed.payment is not None
    factories.settle(placed.payment)
    transaction(lambda: commission.settle(placed.order.id))
    draft = channels.draft({"per_unit": 100, "product_id": product.id})
    return {
        "commission_id": channels.commissions(placed.order)[0].id,
        "plan_id": draft.id,
        "rule_id": plans.find(draft.id).rules[0].id,
    }


def payouts(buyer: Person) -> dict[str, Any]:
    """The holder has asked for one withdrawal, and another is in a batch for the bank."""
    holder = paying_out.equip(_distributor(buyer), payable=100_000)
    account = paying_out.add_account(holder, paying_out.BANK)
    paying = paying_out.approve(paying_out.ask(holder, 20_000, account)).number
    batch = paying_out.submit("bank_file")
    asked = paying_out.ask(holder, 30_000, account)
    return {
        "portal.withdrawals.number": asked.number,
        "portal.payout_accounts.uid": account.uid,
        "admin.withdrawals.number": asked.number,
        "admin.payouts.number": batch.number,
        "paying": paying,
        "method": "alipay",
    }


def papers(buyer: Person) -> dict[str, Any]:
    """A company has sent an invoice; the holder got one payment above the bank's line."""
    company = paying_out.make_distributor(payable=50_000)
    paying_out.enter_company(company)
    asked = paying_out.ask(company, 20_000, paying_out.add_account(company))
    company_id, number = company.id, asked.number
    invoice = transaction(
        lambda: invoices.upload(company_id, number, "12345678", b"%PDF-1.7 invoice")
    )
    holder = _distributor(buyer)
    transaction(lambda: preferences.change({"payout_daily_amount": 10**10}))
    paying_out.credit(holder, 9_000_000)
    account = queries.active_accounts(holder.id)[0]
    large = paying_out.approve(paying_out.ask(holder, 9_000_000, account))
    paying_out.submit("manual")
    large_id = large.id
    transaction(lambda: paying.confirm_by_hand(large_id, "HAND0001"))
    issued = transaction(lambda: statements.issue(large_id))
    assert issued is not None
    return {
        "admin.invoices.uid": invoice.uid,
        "portal.statements.number": issued.number,
        "admin.settlements.number": issued.number,
        "shop.verification.number": issued.number,
        "admin.taxes.uid": holder.uid,
        "year": clock.today(factories.ZONE).year,
        "quarter": 4,
    }


def books(product: Product) -> dict[str, Any]:
    """Books with a closed month, a remittance, and a channel's statement that differs."""
    with time_machine.travel(datetime(2026, 1, 15, tzinfo=UTC), tick=False):
        factories.buy(product)
        theirs = [TheirLine(LineKind.PAYMENT, "NOBODY", 5)]
        day = clock.today(factories.ZONE)
        statement = transaction(lambda: channel_statements.take("sandbox", day, theirs))
        remittance = transaction(lambda: remittances.book("sandbox", "BANK-0000", 500, 3))
        # What was due then is not left to be overdue by now.
        factories.work()
    draft = closing.draw_up("2026-01", factories.ZONE)
    period = transaction(lambda: closing.close(draft))
    rows = sa.select(ChannelStatementRow.id).where(ChannelStatementRow.statement_id == statement.id)
    return {
        "month": period.month,
        "transaction_id": period.last_transaction_id,
        "remittance_id": remittance.id,
        "admin.ledger.code": "channel:sandbox",
        "admin.channel_statements.row_id": session.scalars(rows).first(),
    }


def purchases(product: Product, buyer: Person) -> dict[str, Any]:
    """The holder has a balance, and has bought from it."""
    holder = _distributor(buyer)
    trade.fill(holder, 10 * product.price)
    return {"portal.deliveries.number": trade.buy(holder, product).number}


def _distributor(person: Person) -> Distributor:
    found = figures.distributor_of(person.id)
    assert found is not None
    return found
