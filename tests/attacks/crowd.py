"""Honest people who do what they came for while the shop is attacked."""

import itertools
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

# People of one crowd at a time, each a while after the one before.
AT_ONCE = 2
PAUSE = 0.4

# What an honest person met that she should not have; empty for nothing.
Honest = Callable[[int], str]


class Crowd:
    """`with Crowd(buy) as crowd:` lets people come until the block ends."""

    def __init__(self, live: Honest) -> None:
        self.live = live
        self.people = 0
        self.troubles: list[str] = []
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._come) for _ in range(AT_ONCE)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _come(self) -> None:
        while not self._over.is_set():
            with self._lock:
                number = next(self._numbers)
            try:
                trouble = self.live(number)
            except Exception as error:  # noqa: BLE001  it is what she met
                trouble = f"{type(error).__name__}: {error}"
            with self._lock:
                self.people += 1
                if trouble:
                    self.troubles.append(trouble)
            self._over.wait(PAUSE)
