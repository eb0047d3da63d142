"""For tests of risk: the rules that a shop begins with."""

from collections.abc import Iterator

import pytest
from flask import Flask

from app.core.db import transaction
from app.domain.risk import live_rules, pack


@pytest.fixture
def rules(app: Flask) -> Iterator[None]:
    transaction(pack.install)
    live_rules.forget()
    yield
    live_rules.forget()
