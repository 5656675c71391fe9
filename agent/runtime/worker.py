"""One serial worker per controller: takes a request, reconciles, turns the ending into the next entry of the queue."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeAlias

from agent.kube import errors
from agent.runtime.delay_queue import DelayQueue
from agent.runtime.metrics import ControllerMetrics
from agent.runtime.schedule import Backoff

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Request:
    """Which object to look at."""

    name: str
    namespace: str | None = None

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}" if self.namespace else self.name


Reconcile: TypeAlias = Callable[[Request], timedelta | None]
"""Looks at one object; returns after which time to look again, None for not before the next event."""


class Worker:
    """The thread of one controller.

    An exception of the reconciler is logged once with its traceback and retried with the key's back-off. A conflict
    only means that somebody else wrote first: the pass is dropped and repeated on the fresh object.
    `exclusive` is held during a pass by controllers that must not work at the same time.
    """

    def __init__(
        self,
        controller: str,
        reconcile: Reconcile,
        metrics: ControllerMetrics,
        *,
        exclusive: contextlib.AbstractContextManager[object] | None = None,
        queue: DelayQueue[Request] | None = None,
        backoff: Backoff[Request] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.controller = controller
        self.queue: DelayQueue[Request] = queue or DelayQueue(clock)
        self._reconcile = reconcile
        self._metrics = metrics
        self._exclusive = exclusive or contextlib.nullcontext()
        self._backoff: Backoff[Request] = backoff or Backoff()
        self._clock = clock
        self._thread = threading.Thread(target=self.run, name=controller, daemon=True)
        metrics.observe_queue(self.queue)

    def start(self) -> None:
        """Start working in a thread of its own."""
        self._thread.start()

    def is_alive(self) -> bool:
        """Tell whether the thread runs."""
        return self._thread.is_alive()

    def stop(self, timeout_seconds: float) -> bool:
        """Take no further request; return whether the running pass ended in time."""
        self.queue.close()
        if self._thread.ident is not None:
            self._thread.join(timeout_seconds)
        return not self._thread.is_alive()

    def run(self) -> None:
        """Work until the queue is closed."""
        while (request := self.queue.take()) is not None:
            self.work(request)

    def work(self, request: Request) -> None:
        """Run one pass and queue what follows from it."""
        with self._exclusive, self._metrics.measure_pass(self._clock) as measured:
            try:
                after = self._reconcile(request)
            except errors.Conflict as error:
                measured.result = "requeue"
                log.info("somebody else wrote first, starting over", extra=self._fields(request, reason=str(error)))
                self.queue.add(request, self._backoff.next_delay(request))
            except Exception:
                measured.result = "error"
                delay_seconds = self._backoff.next_delay(request)
                log.exception("reconcile failed", extra=self._fields(request, retry_seconds=round(delay_seconds, 3)))
                self.queue.add(request, delay_seconds)
            else:
                self._backoff.reset(request)
                if after is not None:
                    measured.result = "requeue_after"
                    self.queue.add(request, after.total_seconds())

    def _fields(self, request: Request, **more: object) -> dict[str, object]:
        return {"controller": self.controller, "object": str(request), **more}
