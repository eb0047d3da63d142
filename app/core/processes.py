"""Processes that belong together: they start together, are started again, and end together."""

import ctypes
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence

import structlog

log = structlog.get_logger()

PR_SET_PDEATHSIG = 1
FIRST_PAUSE, LONGEST_PAUSE, STABLE_AFTER = 0.5, 15.0, 30.0
LOOK_EVERY = 0.3


def die_with_parent() -> None:
    """Ask the kernel to kill this process when its parent goes, however it goes (Linux only)."""
    if sys.platform == "linux":
        ctypes.CDLL("libc.so.6", use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Child:
    """A process that is started again, ever more slowly, as often as it dies."""

    def __init__(
        self, name: str, command: Sequence[str], environment: Mapping[str, str] | None = None
    ) -> None:
        self.name = name
        self.command = list(command)
        self.environment = dict(environment) if environment is not None else None
        self.pause = FIRST_PAUSE
        self.start()

    def start(self) -> None:
        self.started_at = time.monotonic()
        # A session of its own: Ctrl-C reaches the parent alone, which ends the others in order.
        self.process = subprocess.Popen(
            self.command, env=self.environment, preexec_fn=die_with_parent, start_new_session=True
        )

    def look_after(self) -> None:
        """Start it again if it died and its pause is over."""
        if self.process.poll() is None:
            return
        lived = time.monotonic() - self.started_at
        if lived > STABLE_AFTER:
            self.pause = FIRST_PAUSE
        if lived >= self.pause:
            log.warning("process.restarted", name=self.name, code=self.process.returncode)
            self.pause = min(self.pause * 2, LONGEST_PAUSE)
            self.start()

    def stop(self, within: float) -> None:
        """Ask it to end, and make it end when it does not within so many seconds."""
        if self.process.poll() is None:
            self.process.terminate()
        try:
            self.process.wait(within)
        except subprocess.TimeoutExpired:
            log.warning("process.killed", name=self.name)
            self.process.kill()
            self.process.wait()


def stop_signal() -> threading.Event:
    """An event that TERM and INT set."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return stop


def look_after_until(stop: threading.Event, children: Sequence[Child]) -> None:
    """Keep the children alive until the event is set."""
    while not stop.wait(LOOK_EVERY):
        for child in children:
            child.look_after()
