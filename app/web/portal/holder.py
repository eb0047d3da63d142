"""Whose portal it is: said by the session alone, never by an address or a form."""

import sqlalchemy as sa
from flask import abort, redirect
from flask_login import current_user

from app.core.db import session
from app.domain.channels.models import Distributor, DistributorState


def distributor() -> Distributor:
    """The active distributor who is signed in; anybody else is led to the application."""
    found = session.scalars(
        sa.select(Distributor).where(
            Distributor.person_id == current_user.id, Distributor.state == DistributorState.ACTIVE
        )
    ).one_or_none()
    if found is None:
        abort(redirect("/portal/application", 303))
    return found
