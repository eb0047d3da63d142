"""For tests that walk through the shop as people do: visitors, a furnished shop, balanced books."""

from collections.abc import Iterator

import pytest
from flask import Flask

from app import invariants
from app.core import audit_chain
from app.core.db import session
from app.domain.accounts.models import Role
from tests import people
from tests.fake_provider import ObedientProvider, speaking
from tests.web.house import House, furnish
from tests.web.visitors import Visitor


@pytest.fixture
def house(app: Flask) -> Iterator[House]:
    """A shop in which everything is real."""
    with speaking(obedient=ObedientProvider()):
        yield furnish(app)


@pytest.fixture
def guest(app: Flask) -> Visitor:
    return Visitor(app)


@pytest.fixture
def owner(app: Flask) -> Visitor:
    return Visitor(app, people.make(Role.OWNER))


@pytest.fixture
def audited(app: Flask) -> Iterator[None]:
    """Whatever was tried, the books balance and every code is where it should be."""
    yield
    session.rollback()
    session.expire_all()
    # A test may have acted at any time; no relay has sealed what it did.
    audit_chain.seal_all()
    assert [finding for finding in invariants.run(full=True) if not finding.holds] == []
