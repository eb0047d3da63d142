"""The file with the master keys: a new one is put in front, and no moment sees half of it."""

import fcntl
import os
import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from app.core.crypto import KeyRing, new_master_key


class Busy(Exception):
    """Another command is changing the keys of this shop just now."""


@contextmanager
def one_at_a_time(directory: Path) -> Iterator[None]:
    """Keep other commands that change the keys out until the block ends; raises Busy.

    However this process ends, the lock ends with it.
    """
    opened = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Busy from None
        yield
    finally:
        os.close(opened)


def put_in_front(path: Path, taken: Collection[str]) -> str:
    """Make a new master key, the first of the file from now on, and return its id.

    The others stay behind it: they open what they wrapped. `taken` are ids of keys that were ever
    used and are not to be mistaken for it.
    """
    before = path.read_text(encoding="ascii")
    name = next_name({*taken, *KeyRing.parse(before).ids})
    owner = path.stat()
    fresh = path.with_name(f"{path.name}.new")
    # Created with its final mode: there is no moment in which others could read it.
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    with os.fdopen(os.open(fresh, flags, 0o600), "w", encoding="ascii") as file:
        os.fchmod(file.fileno(), 0o600)
        if owner.st_uid != os.geteuid():
            # Root's command: the file stays that of the user whose processes read it.
            os.fchown(file.fileno(), owner.st_uid, owner.st_gid)
        file.write(f"{new_master_key(name)}\n{before.strip()}\n")
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    _keep_name(path.parent)
    return name


def next_name(taken: Collection[str]) -> str:
    """k1, k2, …: the first above all that were."""
    numbers = [int(found[1]) for name in taken if (found := re.fullmatch(r"k(\d{1,9})", name))]
    return f"k{max(numbers, default=0) + 1}"


def _keep_name(directory: Path) -> None:
    # A power cut must not bring the old file back once keys are wrapped by the new one.
    opened = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
