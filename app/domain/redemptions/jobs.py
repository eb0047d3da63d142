"""What a worker does for buyers whose codes have leaked."""

import time
from functools import partial

from app.core.db import transaction
from app.core.outbox import Unit
from app.domain.redemptions import replacing

# Well below a job's time-out: what is left is done by the same row, rung again.
WORK_FOR = 45.0


def replace_leaked(alarm_id: int) -> Unit:
    """Replace the codes of one order after the other."""
    until = time.monotonic() + WORK_FOR
    while time.monotonic() < until and transaction(partial(replacing.replace_next, alarm_id)):
        pass
    return partial(replacing.finish, alarm_id)
