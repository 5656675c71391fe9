"""The worker: every ending of a pass becomes the right next entry, log line and metric."""

import logging
import threading
from collections.abc import Callable
from datetime import timedelta

import pytest

from agent.kube import errors
from agent.runtime.metrics import Metrics
from agent.runtime.worker import Request, Worker

UPGRADE = Request("upgrade")


def make_worker(reconcile: Callable[[Request], timedelta | None]) -> tuple[Worker, Metrics]:
    metrics = Metrics()
    return Worker("ibu", reconcile, metrics.controller("ibu"), clock=lambda: 100.0), metrics


def count(metrics: Metrics, result: str) -> float | None:
    labels = {"controller": "ibu", "result": result}
    return metrics.registry.get_sample_value("controller_runtime_reconcile_total", labels)


def fail(error: Exception) -> Callable[[Request], timedelta | None]:
    def reconcile(_: Request) -> timedelta | None:
        raise error

    return reconcile


def test_worker_success_queues_nothing() -> None:
    worker, metrics = make_worker(lambda _: None)
    worker.work(UPGRADE)
    assert worker.queue.depth() == 0
    assert count(metrics, "success") == 1


def test_worker_requeue_asked_for_queues_after_that_time() -> None:
    worker, metrics = make_worker(lambda _: timedelta(0))
    worker.work(UPGRADE)
    assert worker.queue.take() == UPGRADE
    assert count(metrics, "requeue_after") == 1


def test_worker_exception_is_logged_once_with_traceback_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    worker, metrics = make_worker(fail(RuntimeError("disk full")))
    worker.work(UPGRADE)
    (record,) = caplog.records
    assert record.exc_info is not None
    assert (vars(record)["object"], vars(record)["retry_seconds"]) == ("upgrade", 0.005)
    assert count(metrics, "error") == 1
    errors_total = metrics.registry.get_sample_value("controller_runtime_reconcile_errors_total", {"controller": "ibu"})
    assert errors_total == 1


def test_worker_repeated_exceptions_back_off_until_a_success(caplog: pytest.LogCaptureFixture) -> None:
    outcomes: list[Exception | None] = [ValueError(), ValueError(), None, ValueError()]

    def reconcile(_: Request) -> timedelta | None:
        if (error := outcomes.pop(0)) is not None:
            raise error
        return None

    worker, _ = make_worker(reconcile)
    for _ in range(4):
        worker.work(UPGRADE)
    assert [vars(record)["retry_seconds"] for record in caplog.records] == [0.005, 0.01, 0.005]


def test_worker_conflict_starts_over_without_counting_an_error(caplog: pytest.LogCaptureFixture) -> None:
    worker, metrics = make_worker(fail(errors.Conflict("the object has been modified", status=409)))
    with caplog.at_level(logging.INFO):
        worker.work(UPGRADE)
    assert caplog.records[0].exc_info is None
    assert (count(metrics, "requeue"), count(metrics, "error")) == (1, 0)


def test_worker_two_sharing_a_lock_never_work_at_the_same_time() -> None:
    lock, inside, overlaps = threading.Lock(), threading.Event(), []

    def reconcile(_: Request) -> timedelta | None:
        overlaps.append(inside.is_set())
        inside.set()
        inside.clear()
        return None

    workers = [Worker(name, reconcile, Metrics().controller(name), exclusive=lock) for name in ("a", "b")]
    for worker in workers:
        worker.start()
    for _ in range(200):
        for worker in workers:
            worker.queue.add(UPGRADE)
    for worker in workers:
        assert worker.stop(5)
    assert not any(overlaps)


def test_worker_stop_while_a_pass_blocks_says_so() -> None:
    blocked, release = threading.Event(), threading.Event()

    def reconcile(_: Request) -> timedelta | None:
        blocked.set()
        release.wait(10)
        return None

    worker, _ = make_worker(reconcile)
    worker.start()
    worker.queue.add(UPGRADE)
    assert blocked.wait(5)
    assert not worker.stop(0.01)
    release.set()
    assert worker.stop(5)


def test_request_text_names_namespace_and_name() -> None:
    assert (str(UPGRADE), str(Request("job", "ns"))) == ("upgrade", "ns/job")
