"""The fields of a batch, which an import, a generation and their pages share."""

from flask_babel import gettext as _

from app.core import clock
from app.core.db import session
from app.core.errors import N_, Refusal
from app.domain.catalog import preferences
from app.domain.catalog.models import Product
from app.domain.catalog.queries import products
from app.domain.vault import batches
from app.domain.vault.batches import BatchDetails
from app.web.admin.typed import Typed


def blank() -> Typed:
    """A form with a name proposed, so that nothing has to be typed."""
    day = clock.today(preferences.get().zone)
    return Typed({"name": _("%(day)s 到货", day=day.isoformat())})


def details(typed: Typed) -> BatchDetails:
    """What was typed; every fault is noted in `typed`."""
    read = BatchDetails(
        name=typed.text("name"),
        supplier=typed.text("supplier"),
        unit_cost=typed.money("unit_cost") or 0,
        expires_on=typed.day("expires_on"),
        note=typed.text("note"),
    )
    typed.note(batches.faults(read, clock.today(preferences.get().zone)))
    return read


def product_options() -> list[tuple[int, str]]:
    """The products that codes can be put in for, for a select."""
    return [(product.id, product.name) for product in session.scalars(products())]


def product_id(typed: Typed) -> int:
    """The chosen product's id; a fault is noted."""
    chosen = typed.whole("product")
    if chosen is None or session.get(Product, chosen) is None:
        typed.note([Refusal(N_("请选择商品"), field="product")])
        return 0
    return chosen
