"""For tests of the domain: a channel that obeys, and books that must balance after each test."""

from collections.abc import Iterator

import pytest
from flask import Flask

from app import invariants
from app.core import audit_chain
from app.core.db import session
from app.providers import payments
from tests.fake_channel import ObedientChannel


@pytest.fixture
def channel(app: Flask, monkeypatch: pytest.MonkeyPatch) -> ObedientChannel:
    obedient = ObedientChannel()
    monkeypatch.setitem(payments._channels, "sandbox", obedient)
    return obedient


@pytest.fixture
def audited(app: Flask) -> Iterator[None]:
    """Whatever the test did, everything that must always be true still is."""
    yield
    session.rollback()
    session.expire_all()
    # A test may have acted at any time; no relay has sealed what it did.
    audit_chain.seal_all()
    assert [finding for finding in invariants.run(full=True) if not finding.holds] == []
