"""Honest people who do what they came for while the shop is attacked."""

import itertools
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from tests.attacks.outcome import People

# People of one crowd at a time, each a while after the one before.
AT_ONCE = 2
PAUSE = 0.4

# What an honest person met that she should not have; empty for nothing.
Honest = Callable[[int], str]


class Crowd:
    """`with Crowd(buy) as crowd:` lets people come until the block ends, and until `least` of them
    have come: what an attack leaves behind troubles those after it, too."""

    def __init__(self, live: Honest, least: int = 1) -> None:
        self.live = live
        self.least = least
        self.people = 0
        self.troubles: list[str] = []
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._come) for _ in range(AT_ONCE)]

    @property
    def met(self) -> People:
        return People(self.people, tuple(self.troubles))

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        if kind is not None:
            self.least = 0
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _come(self) -> None:
        while (number := self._next()) is not None:
            try:
                trouble = self.live(number)
            except Exception as error:  # noqa: BLE001  it is what she met
                trouble = f"{type(error).__name__}: {error}"
            with self._lock:
                self.people += 1
                if trouble:
                    self.troubles.append(trouble)
            time.sleep(PAUSE)

    def _next(self) -> int | None:
        """Which person comes now; None when it is over."""
        with self._lock:
            number = next(self._numbers)
        return None if self._over.is_set() and number > self.least else number
