"""What a worker does for the vault."""

import gc
import time
from functools import partial

from app.core.outbox import Unit
from app.domain.vault import batches, importing, taking, undoing

# Well below a job's time-out: what is left is done by the same row, rung again.
WORK_FOR = 45.0


def add_codes(import_id: int) -> Unit:
    """Take codes into a batch, step by step, and open the batch when all are in it."""
    # Each of a million codes is some short-lived objects: without this the collector would look
    # through the whole application again and again, for a fifth of the time.
    gc.freeze()
    try:
        taking.take_steps(import_id, until=time.monotonic() + WORK_FOR)
    finally:
        gc.unfreeze()
    return partial(taking.finish, import_id)


def discard_upload(import_id: int) -> Unit:
    """Throw away a file that nobody started to import within a day."""
    return partial(importing.discard, import_id)


def remove_codes(import_id: int) -> Unit:
    """Take the codes of an undone import out, some thousands at a time."""
    return partial(undoing.remove_some_codes, import_id)


def void_codes(batch_id: int) -> Unit:
    """Void what a void batch has left, some thousands at a time."""
    return partial(batches.void_some_codes, batch_id)
