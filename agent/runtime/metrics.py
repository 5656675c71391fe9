"""Prometheus metrics with the names dashboards know from the original operator (ibu-api.md 10.6)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

import prometheus_client as prometheus

RESULTS = ("success", "requeue_after", "requeue", "error")
_RECONCILE_SECONDS = (
    *(0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0),
    *(1.25, 1.5, 1.75, 2.0, 2.5, 3.0, 3.5, 4.0, 4.5, 5, 6, 7, 8, 9, 10, 15, 20, 25, 30, 40, 50, 60),
)
_QUEUE_SECONDS = tuple(10.0**exponent for exponent in range(-8, 4))


class Queue(Protocol):
    """What the metrics want to know of a queue."""

    on_add: Callable[[], object]

    def depth(self) -> int:
        """Return how many entries are due."""


class Metrics:
    """All metrics of one process, in a registry of their own."""

    def __init__(self) -> None:
        prometheus.disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = prometheus.CollectorRegistry()
        prometheus.ProcessCollector(registry=self.registry)
        prometheus.PlatformCollector(registry=self.registry)
        prometheus.GCCollector(registry=self.registry)
        by_controller = ("controller",)
        prefix = "controller_runtime"
        self.reconciles = self._counter(f"{prefix}_reconcile", "Passes by result", (*by_controller, "result"))
        self.reconcile_errors = self._counter(f"{prefix}_reconcile_errors", "Passes that failed", by_controller)
        self.reconcile_seconds = self._histogram(
            f"{prefix}_reconcile_time_seconds", "Duration of a pass", by_controller, _RECONCILE_SECONDS
        )
        self.active_workers = self._gauge(f"{prefix}_active_workers", "Passes running now", by_controller)
        self.max_workers = self._gauge(f"{prefix}_max_concurrent_reconciles", "Passes that may run", by_controller)
        by_queue = ("name", "controller")
        self.queue_depth = self._gauge("workqueue_depth", "Requests that wait for the worker", by_queue)
        self.queue_adds = self._counter("workqueue_adds", "Requests added", by_queue)
        self.queue_retries = self._counter("workqueue_retries", "Requests added again after a failure", by_queue)
        self.work_seconds = self._histogram(
            "workqueue_work_duration_seconds", "Duration of the work on a request", by_queue, _QUEUE_SECONDS
        )
        self.unfinished_seconds = self._gauge(
            "workqueue_unfinished_work_seconds", "Age of the running pass, 0 when idle", by_queue
        )
        self.api_requests = self._counter("rest_client_requests", "API requests", ("code", "method", "host"))
        self.leader = self._gauge("leader_election_master_status", "1 for the leader, else 0", ("name",))

    def controller(self, name: str) -> ControllerMetrics:
        """Return the metrics of one controller, shown from now on even while they are zero."""
        return ControllerMetrics(self, name)

    def count_api_request(self, method: str, status: int | str, host: str) -> None:
        """Count one answered (`status` is the HTTP code) or broken (`<error>`) API request."""
        self.api_requests.labels(str(status), method, host).inc()

    def render(self) -> tuple[bytes, str]:
        """Return the text exposition and its content type."""
        return prometheus.generate_latest(self.registry), prometheus.CONTENT_TYPE_LATEST

    def _counter(self, name: str, text: str, labels: tuple[str, ...]) -> prometheus.Counter:
        return prometheus.Counter(name, text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str, labels: tuple[str, ...]) -> prometheus.Gauge:
        return prometheus.Gauge(name, text, labels, registry=self.registry)

    def _histogram(
        self, name: str, text: str, labels: tuple[str, ...], buckets: tuple[float, ...]
    ) -> prometheus.Histogram:
        return prometheus.Histogram(name, text, labels, buckets=buckets, registry=self.registry)


@dataclass
class MeasuredPass:
    """How a running pass ends; the worker sets `result`, one of `RESULTS`."""

    result: str = "success"


class ControllerMetrics:
    """The metrics of one controller and its queue."""

    def __init__(self, metrics: Metrics, name: str) -> None:
        self._results = {result: metrics.reconciles.labels(name, result) for result in RESULTS}
        self._errors = metrics.reconcile_errors.labels(name)
        self._seconds = metrics.reconcile_seconds.labels(name)
        self._active = metrics.active_workers.labels(name)
        self._work_seconds = metrics.work_seconds.labels(name, name)
        self._retries = metrics.queue_retries.labels(name, name)
        self._queue_depth = metrics.queue_depth.labels(name, name)
        self._queue_adds = metrics.queue_adds.labels(name, name)
        self._unfinished = metrics.unfinished_seconds.labels(name, name)
        metrics.max_workers.labels(name).set(1)

    def observe_queue(self, queue: Queue) -> None:
        """Show the state of `queue` at every scrape."""
        self._queue_depth.set_function(queue.depth)
        queue.on_add = self._queue_adds.inc

    @contextmanager
    def measure_pass(self, clock: Callable[[], float] = time.monotonic) -> Iterator[MeasuredPass]:
        """Measure one pass from entry to exit."""
        measured, started = MeasuredPass(), clock()
        self._active.set(1)
        self._unfinished.set_function(lambda: clock() - started)
        try:
            yield measured
        finally:
            seconds = clock() - started
            self._active.set(0)
            self._unfinished.set_function(lambda: 0.0)
            self._seconds.observe(seconds)
            self._work_seconds.observe(seconds)
            self._results[measured.result].inc()
            if measured.result == "error":
                self._errors.inc()
            if measured.result in ("error", "requeue"):
                self._retries.inc()
