"""When a failed call may be repeated, and how long to wait before: pure rules."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass

from agent.kube.errors import ApiError, Transient


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Bounds of one call.

    `deadline_seconds` is the longest a call may take with all its attempts; a new attempt starts at most
    `retry_seconds` after the first failure.
    """

    deadline_seconds: float = 60.0
    retry_seconds: float = 15.0
    connect_seconds: float = 5.0
    first_delay_seconds: float = 0.1
    longest_delay_seconds: float = 3.0

    def delay_seconds(self, attempt: int, error: ApiError, *, idempotent: bool) -> float | None:
        """Return the pause before the next attempt, None when there must be none; `attempt` counts from 1.

        A call that is not idempotent is repeated only if the server surely did nothing.
        """
        if not isinstance(error, Transient) or (error.maybe_processed and not idempotent):
            return None
        ceiling = min(self.first_delay_seconds * 2.0 ** min(attempt - 1, 32), self.longest_delay_seconds)
        jittered = random.uniform(ceiling / 2, ceiling)  # noqa: S311 (spreads load, keeps no secret)
        return max(jittered, error.retry_after_seconds or 0.0)


class Attempts:
    """Counts the failed attempts of one call and pauses between them.

    `wait` sleeps for seconds and may raise to end the waiting early (shutdown).
    """

    def __init__(
        self, policy: RetryPolicy, wait: Callable[[float], object], *, idempotent: bool, until: float = float("inf")
    ) -> None:
        self._policy = policy
        self._wait = wait
        self._idempotent = idempotent
        self._until = until
        self.reset()

    def reset(self) -> None:
        """Forget earlier failures: something worked."""
        self._failures = 0
        self._last_start = self._until

    def pause_after(self, error: ApiError) -> None:
        """Wait before the next attempt; raise the error when there is to be none."""
        now = time.monotonic()
        if self._failures == 0:
            self._last_start = min(now + self._policy.retry_seconds, self._until)
        self._failures += 1
        delay = self._policy.delay_seconds(self._failures, error, idempotent=self._idempotent)
        remaining = self._last_start - now
        if delay is None or remaining <= 0 or (error.retry_after_seconds or 0) > remaining:
            raise error
        self._wait(min(delay, remaining))
