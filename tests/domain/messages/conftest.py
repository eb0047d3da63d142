"""A mail server that is the shop's, a buyer with an address, and books that are audited."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

import pytest
import sqlalchemy as sa
import time_machine
from flask import Flask

from app.core import clock
from app.core.db import session
from app.domain.catalog.models import Product
from app.domain.messages.models import MessageRow
from app.domain.orders.models import Order
from app.providers import messages
from app.providers.messages.smtp import Smtp
from tests import factories, mail_server
from tests.domain.recharges.conftest import market
from tests.mail_server import MailServer

__all__ = ["market"]

MEI = "mei@example.com"


@dataclass
class Post:
    """The shop's mail server, and what the shop itself wrote down."""

    server: MailServer

    @property
    def subjects(self) -> list[str]:
        return [str(mail["Subject"]) for mail in self.server.mailbox.mails]

    def buy(self, product: Product, **values: object) -> Order:
        return factories.buy(product, **({"phone": MEI} | values))

    def rows(self) -> list[MessageRow]:
        session.rollback()
        session.expire_all()
        return list(session.scalars(sa.select(MessageRow).order_by(MessageRow.id)))

    def states(self) -> list[tuple[str, str]]:
        return [(row.kind.value, row.state.value) for row in self.rows()]

    def work(self, after: timedelta = timedelta(0)) -> None:
        """Run what is due so long from now."""
        with time_machine.travel(clock.now() + after, tick=True):
            factories.work()


@pytest.fixture
def post(
    app: Flask, channel: object, audited: None, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Post]:
    with mail_server.serving() as server:
        smtp = Smtp(server.url, "小店 <shop@example.com>")
        monkeypatch.setitem(messages._senders, messages.EMAIL, smtp)
        yield Post(server)
