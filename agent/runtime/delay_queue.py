"""The blocking wait around `Schedule`: any thread adds, the worker takes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from agent.runtime.schedule import Schedule

Key = TypeVar("Key", bound=Hashable)


class DelayQueue(Generic[Key]):
    """Thread-safe delay queue; `clock` gives monotonic seconds, `on_add` is called for every entry added."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.on_add: Callable[[], object] = lambda: None
        self._schedule: Schedule[Key] = Schedule()
        self._changed = threading.Condition()
        self._closed = False

    def add(self, key: Key, delay_seconds: float = 0.0) -> None:
        """Hand out `key` after `delay_seconds`, or earlier when an earlier entry is pending."""
        with self._changed:
            self._schedule.add(key, self._clock() + delay_seconds)
            self._changed.notify()
        self.on_add()

    def take(self) -> Key | None:
        """Wait for the next due key and return it; None once the queue is closed."""
        with self._changed:
            while not self._closed:
                key = self._schedule.pop_due(self._clock())
                if key is not None:
                    return key
                due = self._schedule.next_due()
                self._changed.wait(None if due is None else max(0.0, due - self._clock()))
            return None

    def close(self) -> None:
        """Wake the taker for the last time; pending entries are dropped."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def depth(self) -> int:
        """Return how many keys wait for the worker at this moment (not those of the future)."""
        with self._changed:
            return self._schedule.count_due(self._clock())
