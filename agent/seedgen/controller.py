"""Seed generation as the process runs it: one worker, and the watch that wakes it.

Nothing of the work is imported before there is any: an idle operator stays small.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING

from agent.kube import Client, Event
from agent.runtime.metrics import Metrics
from agent.runtime.triggers import TriggerFilter
from agent.runtime.watch import Watch
from agent.runtime.worker import Request, Worker
from agent.seedgen.kind import SEEDGEN, SEEDGEN_NAME
from hostops.hostroot import HostRoot
from hostops.runner import HostRunner
from hostops.scopes import host_scope
from seeds.creation.workspace import WORKSPACE

if TYPE_CHECKING:
    from agent.seedgen.reconcile import SeedController

CONTROLLER_NAME = "seedgenerator"


class LazyController:
    """Makes the controller at its first pass."""

    def __init__(self, make: Callable[[], SeedController]) -> None:
        self._make = make
        self._controller: SeedController | None = None

    def reconcile(self, request: Request) -> timedelta | None:
        """See `SeedController.reconcile`."""
        if self._controller is None:
            self._controller = self._make()
        return self._controller.reconcile(request)


def make_controller(
    client: Client,
    root: HostRoot,
    metrics: Metrics,
    exclusive: contextlib.AbstractContextManager[object],
    *,
    namespace: str,
    pod_name: str,
    recert_image: str,
    skip_recert: bool,
    find_health_failure: Callable[[Client], str | None],
) -> tuple[Worker, list[Watch]]:
    """Return the worker and what it watches; an interrupted generation is looked at without a custom resource."""

    def make() -> SeedController:
        from agent.seedgen.ports import Ports
        from agent.seedgen.reconcile import SeedController

        runner = HostRunner(host_scope())
        ports = Ports(client, runner, root, namespace, pod_name, recert_image, skip_recert, find_health_failure)
        return SeedController(ports)

    worker = Worker(
        CONTROLLER_NAME, LazyController(make).reconcile, metrics.controller(CONTROLLER_NAME), exclusive=exclusive
    )
    triggers = TriggerFilter({})

    def look() -> None:
        if root.path(WORKSPACE).exists():
            worker.queue.add(Request(SEEDGEN_NAME))

    def handle(event: Event) -> None:
        if triggers.admits(event.type, event.object):
            worker.queue.add(Request(event.object["metadata"]["name"]))

    look()
    return worker, [Watch(SEEDGEN, handle, on_open=look)]
