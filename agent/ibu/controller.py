"""The upgrade's controller as the process runs it: one worker, and the watches that wake it (ibu-api.md 5.1)."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable

from agent.ibu.kind import IBU, IBU_NAME
from agent.ibu.ports import Ports
from agent.ibu.reconcile import UpgradeController
from agent.kube import Client, Event, Kind
from agent.pivot.saved import SavedResource
from agent.runtime.delay_queue import DelayQueue
from agent.runtime.followers import Followers
from agent.runtime.metrics import Metrics
from agent.runtime.triggers import Change, TriggerFilter
from agent.runtime.watch import Watch
from agent.runtime.worker import Request, Worker
from agent.velero.names import BACKUP, OADP_NAMESPACE, RESTORE
from crds.imagebasedupgrade import Annotation
from hostops.hostroot import HostRoot
from hostops.runner import CommandError, HostRunner
from hostops.scopes import host_scope
from hostops.systemd import Systemd, UnitError

log = logging.getLogger(__name__)

CONTROLLER_NAME = "imagebasedupgrade"

_JOB = Kind("batch", "v1", "Job")


class StorageError(Exception):
    """The node does not tell where its container images lie, so it can not be prepared for anything."""


def open_ports(client: Client, root: HostRoot, *, namespace: str, pod_name: str, precache_image: str) -> Ports:
    """Open the doors to the host, and look through them once. Raises StorageError."""
    runner = HostRunner(host_scope())
    try:
        target = Systemd(runner).container_storage_target()
    except (CommandError, UnitError) as error:
        raise StorageError(f"unable to get container storage mountpoint target: {error}") from error
    log.info("container storage", extra={"target": target or "not a mount of its own"})
    return Ports(client, runner, root, namespace, pod_name, precache_image)


def make_controller(
    ports: Ports, saved: SavedResource, metrics: Metrics, exclusive: contextlib.AbstractContextManager[object]
) -> tuple[Worker, list[Watch]]:
    """Return the worker, with a first request queued, and what it watches."""
    queue: DelayQueue[Request] = DelayQueue()
    wake = queue.add

    def look(after_seconds: float = 0.0) -> None:
        wake(Request(IBU_NAME), after_seconds)

    controller = UpgradeController(ports, saved, follow=Followers(ports.client, look).follow)
    worker = Worker(
        CONTROLLER_NAME,
        controller.reconcile,
        metrics.controller(CONTROLLER_NAME),
        exclusive=exclusive,
        queue=queue,
    )
    look()
    return worker, [
        Watch(IBU, _on_upgrade(controller, wake), on_open=look),
        Watch(_JOB, _on_job(wake), on_open=look, namespace=ports.namespace),
        Watch(BACKUP, _on_phase_change(wake), on_open=look, namespace=OADP_NAMESPACE),
        Watch(RESTORE, _on_phase_change(wake), on_open=look, namespace=OADP_NAMESPACE),
    ]


def _on_upgrade(controller: UpgradeController, wake: Callable[[Request], object]) -> Callable[[Event], None]:
    triggers = TriggerFilter(
        {Annotation.MANUAL_CLEANUP_DONE: Change.PRESENCE, Annotation.TRIGGER_RECONCILE: Change.ADDED_OR_CHANGED}
    )

    def handle(event: Event) -> None:
        name = event.object["metadata"]["name"]
        if event.type == "DELETED" and name == IBU_NAME:
            controller.note_deleted(event.object)
        if triggers.admits(event.type, event.object):
            wake(Request(name))

    return handle


def _on_job(wake: Callable[[Request], object]) -> Callable[[Event], None]:
    def handle(event: Event) -> None:
        for owner in event.object["metadata"].get("ownerReferences") or ():
            group = str(owner.get("apiVersion", "")).partition("/")[0]
            if owner.get("controller") and (group, owner.get("kind")) == (IBU.group, IBU.kind):
                wake(Request(owner["name"]))

    return handle


def _on_phase_change(wake: Callable[[Request], object]) -> Callable[[Event], None]:
    phases: dict[str, str | None] = {}

    def handle(event: Event) -> None:
        name, phase = event.object["metadata"]["name"], (event.object.get("status") or {}).get("phase")
        if event.type == "DELETED":
            phases.pop(name, None)
            wake(Request(IBU_NAME))
        elif name not in phases:
            phases[name] = phase
            if event.type == "MODIFIED" and phase:
                wake(Request(IBU_NAME))
        elif phases[name] != phase:
            phases[name] = phase
            wake(Request(IBU_NAME))

    return handle
