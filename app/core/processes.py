"""Processes that belong together: they start together, are started again, and end together."""

import ctypes
import gc
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Sequence

import structlog

log = structlog.get_logger()

PR_SET_PDEATHSIG, PR_SET_NAME = 1, 15
FIRST_PAUSE, LONGEST_PAUSE, STABLE_AFTER = 0.5, 15.0, 30.0
LOOK_EVERY = 0.2
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)

# Loaded now: between fork and exec is no time for it.
LIBC = ctypes.CDLL(None)
# A fork has the app imported already: the processes of a shop start at once and share its memory.
FORK = multiprocessing.get_context("fork")

Work = Callable[[], object] | Sequence[str]


def die_with_parent() -> None:
    """Ask the kernel to kill this process when its parent goes, however it goes (Linux only)."""
    if sys.platform == "linux":
        LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def take_name(name: str) -> None:
    """Be called so in `ps -o comm` and `top` (Linux only, 15 bytes)."""
    if sys.platform == "linux":
        LIBC.prctl(PR_SET_NAME, name.encode())


def collect_less() -> None:
    """Look for garbage less often, and never among what the app is made of: it is what a sixth of a
    request's time went into."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


class Child:
    """A process that is started again, ever more slowly, as often as it dies.

    Its work is a function, run in a fork of this process, which must have no threads and no
    connections then; or a command, which the fork becomes.
    """

    def __init__(self, name: str, work: Work) -> None:
        self.name = name
        self.work = work
        self.pause = FIRST_PAUSE
        self.start()

    def start(self) -> None:
        self.started_at = time.monotonic()
        self.process = FORK.Process(
            target=_begin, args=(self.name, self.work, os.getpid()), name=self.name
        )
        # A stop that comes before the child has handlers of its own waits until it has.
        signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
        try:
            self.process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)

    def look_after(self) -> None:
        """Start it again if it died and its pause is over."""
        if self.process.is_alive():
            return
        lived = time.monotonic() - self.started_at
        if lived > STABLE_AFTER:
            self.pause = FIRST_PAUSE
        if lived >= self.pause:
            log.warning("process.restarted", name=self.name, code=self.process.exitcode)
            self.pause = min(self.pause * 2, LONGEST_PAUSE)
            self.start()


def stop_all(children: Iterable[Child], within: float) -> None:
    """Ask all of them to end at once, and make those end that do not within so many seconds."""
    running = [child for child in children if child.process.is_alive()]
    for child in running:
        child.process.terminate()
    deadline = time.monotonic() + within
    # Not join(): it waits on a pipe that a command closes when it begins, not when it ends.
    while any(child.process.is_alive() for child in running) and time.monotonic() < deadline:
        time.sleep(0.02)
    for child in running:
        if child.process.is_alive():
            log.warning("process.killed", name=child.name)
            child.process.kill()
            child.process.join()


def stop_signal() -> threading.Event:
    """An event that TERM, INT and a closed terminal set."""
    stop = threading.Event()
    for number in STOP_SIGNALS:
        # Under nohup the terminal may close.
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, lambda *_: stop.set())
    return stop


def look_after_until(stop: threading.Event, children: Sequence[Child]) -> None:
    """Keep the children alive until the event is set."""
    while not stop.wait(LOOK_EVERY):
        for child in children:
            child.look_after()


def _begin(name: str, work: Work, parent: int) -> None:
    # A session of its own: Ctrl-C reaches the parent alone, which ends the others in order.
    os.setsid()
    die_with_parent()
    if os.getppid() != parent:
        return
    take_name(name)
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)
    if callable(work):
        work()
    else:
        os.execvp(work[0], list(work))  # noqa: S606
