"""Whose portal it is: the session alone says so; no address and no form names a distributor."""

from flask import Response, abort, after_this_request, g, url_for
from flask_login import current_user

from app.domain.channels import balance, figures
from app.domain.channels.models import Distributor, DistributorState
from app.web import devices
from app.web.access import go


def distributor() -> Distributor:
    """The distributor who is signed in and sells; anybody else is led to the application."""
    return _one_of(DistributorState.ACTIVE)


def earner() -> Distributor:
    """The distributor who is signed in, a suspended one too: what she has earned stays hers."""
    return _one_of(DistributorState.ACTIVE, DistributorState.SUSPENDED)


def _one_of(*states: DistributorState) -> Distributor:
    found = figures.distributor_of(current_user.id)
    if found is None or found.state not in states:
        abort(go(url_for("portal.application.show")))
    g.distributor = found
    _know_her_browser(found)
    return found


def _know_her_browser(seller: Distributor) -> None:
    """Whatever is bought in it later is her own purchase, signed in or not."""
    device = devices.known()
    if seller.uid in device.owners:
        return

    @after_this_request
    def put(response: Response) -> Response:
        return devices.put(response, device, seller.uid)


def is_balance_low() -> bool:
    """Whether a page of hers says that her balance is below what she wants to be told of."""
    found: Distributor | None = g.get("distributor")
    return found is not None and balance.is_low(found)
