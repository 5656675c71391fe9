"""The life of a controller process: parts are started in order, a signal stops them in reverse within a limit."""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

log = logging.getLogger(__name__)

STOP_SECONDS = 30.0


class Part(Protocol):
    """Something with a thread of its own: a worker, the watches."""

    def start(self) -> None:
        """Start and return at once."""

    def is_alive(self) -> bool:
        """Tell whether it runs."""

    def stop(self, timeout_seconds: float) -> bool:
        """Stop; return whether it ended within `timeout_seconds`."""


class StopRequest:
    """Why the process is to end; set once, by a signal or by a part of the process."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self.reason = ""
        self.exit_code = 0

    def set(self, reason: str, exit_code: int = 0) -> None:
        """Ask the process to end; the first reason counts."""
        if not self._event.is_set():
            self.reason, self.exit_code = reason, exit_code
            self._event.set()

    def is_set(self) -> bool:
        """Tell whether the process is to end."""
        return self._event.is_set()

    def wait(self, timeout_seconds: float | None = None) -> bool:
        """Wait for the request; return whether it came."""
        return self._event.wait(timeout_seconds)


@contextmanager
def stop_on_signals(request: StopRequest) -> Iterator[None]:
    """Turn SIGTERM and SIGINT into `request` while inside; the second signal ends the process as usual."""

    def handle(number: int, _: object) -> None:
        signal.signal(number, signal.SIG_DFL)
        request.set(signal.Signals(number).name)

    before = {number: signal.signal(number, handle) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def run_parts(parts: Sequence[Part], request: StopRequest, *, limit_seconds: float = STOP_SECONDS) -> int:
    """Start `parts` in order, wait for `request`, stop them in reverse order; return the exit code.

    A step that still runs when the limit is over is left behind: it is repeated from the top at the next start.
    """
    started: list[Part] = []
    try:
        for part in parts:
            part.start()
            started.append(part)
        request.wait()
        log.info("stopping", extra={"reason": request.reason})
    finally:
        deadline = time.monotonic() + limit_seconds
        for part in reversed(started):
            if not part.stop(max(0.0, deadline - time.monotonic())):
                log.warning("still busy, left behind", extra={"part": type(part).__name__})
    return request.exit_code
