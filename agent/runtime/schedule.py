"""When to look at which object next: pure data, time is an argument."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)


@dataclass(slots=True)
class Schedule(Generic[Key]):
    """At most one pending entry per key; of two, the earlier wins (ibu-api.md 5.4).

    All times are seconds on one monotonic clock. The number of keys is the number of objects of a controller,
    which is small, so a scan is cheaper than a heap that has to forget entries.
    """

    _due: dict[Key, float] = field(default_factory=dict)

    def add(self, key: Key, due: float) -> None:
        """Look at `key` at `due`, unless it is already to be looked at earlier."""
        self._due[key] = min(due, self._due.get(key, due))

    def next_due(self) -> float | None:
        """Return the time of the earliest entry, None when there is none."""
        return min(self._due.values(), default=None)

    def pop_due(self, now: float) -> Key | None:
        """Remove and return the longest overdue key, None when nothing is due at `now`."""
        key = min(self._due, key=self._due.__getitem__, default=None)
        if key is None or self._due[key] > now:
            return None
        del self._due[key]
        return key

    def count_due(self, now: float) -> int:
        """Return how many keys are due at `now`."""
        return sum(due <= now for due in self._due.values())


@dataclass(slots=True)
class Backoff(Generic[Key]):
    """Exponential delay per key, in seconds: `initial` doubling up to `maximum`, from the start after a success."""

    initial: float = 0.005
    maximum: float = 1000.0
    _failures: dict[Key, int] = field(default_factory=dict)

    def next_delay(self, key: Key) -> float:
        """Count one more failure of `key` and return how long to wait before it is tried again."""
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        return float(min(self.initial * 2.0 ** min(failures, 64), self.maximum))

    def failures(self, key: Key) -> int:
        """Return how often `key` failed since its last success."""
        return self._failures.get(key, 0)

    def reset(self, key: Key) -> None:
        """Note a success of `key`."""
        self._failures.pop(key, None)
