"""What tests of adapters need."""

from collections.abc import Iterator

import pytest

from tests.providers.supplier import Supplier, open_supplier


@pytest.fixture
def supplier() -> Iterator[Supplier]:
    with open_supplier() as running:
        yield running
