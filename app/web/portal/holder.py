"""Whose portal it is: the session alone says so; no address and no form names a distributor."""

import sqlalchemy as sa
from flask_login import current_user

from app.core.db import session
from app.core.errors import N_, NotFound
from app.domain.channels.models import Distributor, DistributorState

JOINED = (DistributorState.ACTIVE, DistributorState.SUSPENDED)


def distributor() -> Distributor:
    """The distributor who is signed in; raises NotFound for whoever is none."""
    found = session.scalar(
        sa.select(Distributor).where(
            Distributor.person_id == current_user.id, Distributor.state.in_(JOINED)
        )
    )
    if found is None:
        raise NotFound(N_("你还不是分销商"))
    return found
