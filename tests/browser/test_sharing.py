"""A friend's link on a phone: followed, bought with two taps, and the order is the distributor's."""

import pytest
import sqlalchemy as sa
from playwright.sync_api import expect

from app.core import ids
from tests.browser import journeys
from tests.browser.conftest import Open
from tests.servers import Shop

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]
