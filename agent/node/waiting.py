"""Waiting and trying again inside a step: bounded, told in the log, ended by a signal at once."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from agent.node.durations import format_duration

logger = logging.getLogger(__name__)

Value = TypeVar("Value")

POLL_SECONDS = 1.0
TELL_SECONDS = 30.0
"""How often the log says what is awaited."""

_LONGEST_PAUSE_SECONDS = 10.0


class TimedOut(Exception):  # noqa: N818 - named like the event
    """What was awaited did not come in time; the text says for how long it was awaited and what was seen last."""


@dataclass(frozen=True, slots=True)
class Clock:
    """The time, and a way to let it pass."""

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


def wait_for(
    look: Callable[[], Value | None],
    what: str,
    clock: Clock,
    *,
    timeout_seconds: float | None,
    last_seen: Callable[[], str] = lambda: "",
) -> Value:
    """Look once per second until there is something, and return it; `timeout_seconds` None waits without end.

    `what` and `last_seen` (why there is nothing yet) are for the log and the error. Raises TimedOut.
    """
    started = clock.now()
    told = started
    while (found := look()) is None:
        now = clock.now()
        reason = f": {text}" if (text := last_seen()) else ""
        if timeout_seconds is not None and now - started >= timeout_seconds:
            raise TimedOut(f"timed out after {format_duration(round(timeout_seconds))} waiting for {what}{reason}")
        if now - told >= TELL_SECONDS:
            told = now
            logger.info("waiting for %s since %s%s", what, format_duration(round(now - started)), reason)
        clock.sleep(POLL_SECONDS)
    return found


class Retrier:
    """Tries the calls of one step again while their errors may pass.

    `patience_seconds` tells for an error how long after the step's first failure another attempt is worth while;
    0 means that it is not.
    """

    def __init__(self, clock: Clock, patience_seconds: Callable[[Exception], float]) -> None:
        self._clock = clock
        self._patience_seconds = patience_seconds
        self._first_failure: float | None = None
        self._pause = POLL_SECONDS

    def call(self, action: Callable[[], Value]) -> Value:
        """Return what `action` returns; raise its error when patience is at its end."""
        while True:
            try:
                return action()
            except Exception as error:
                now = self._clock.now()
                if self._first_failure is None:
                    self._first_failure = now
                if now + self._pause > self._first_failure + self._patience_seconds(error):
                    raise
                logger.warning("trying again in %g s: %s", self._pause, error)
            self._clock.sleep(self._pause)
            self._pause = min(self._pause * 2, _LONGEST_PAUSE_SECONDS)
