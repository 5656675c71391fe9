"""Watches: kopf tells what happens in the cluster, and nothing else.

Handlers are called in kopf's loop, so they may only enqueue. They return None, nothing is registered that keeps state,
and kopf's own event posting and peering are off: no annotation, finalizer, status or event of kopf ever appears.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from agent.kube import Client, Event, Kind, Resource, errors
from agent.runtime.kopf_login import Login
from agent.runtime.lean_kopf import kopf

log = logging.getLogger(__name__)

OnEvent: TypeAlias = Callable[[Event], None]

_RESTART_SECONDS = (1.0, 2.0, 5.0, 10.0, 30.0)
_MISSING_KIND_SECONDS = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0)
_LONG_RUN_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class Watch:
    """What to watch: a kind, in one namespace or (None) everywhere; with `name` only the object of that name.

    `on_event` gets ADDED for every object that exists at the start and again after the stream was interrupted for long.
    """

    kind: Kind
    on_event: OnEvent
    namespace: str | None = None
    name: str | None = None


class Watches:
    """All watches of the process, in one thread.

    A kind that is not served (its CRD is not installed yet, or was removed) is looked for again at growing intervals;
    the others are watched meanwhile. When the API server refuses or fails for long, everything starts over.
    """

    def __init__(self, client: Client, watches: Sequence[Watch]) -> None:
        self._client = client
        self._watches = tuple(watches)
        self._stopped = threading.Event()
        self._stop_loop: Callable[[], object] = lambda: None
        self._thread = threading.Thread(target=self._run, name="watches", daemon=True)

    def start(self) -> None:
        """Start watching in a thread of its own."""
        self._thread.start()

    def is_alive(self) -> bool:
        """Tell whether the thread runs."""
        return self._thread.is_alive()

    def stop(self, timeout_seconds: float) -> bool:
        """Close all streams; return whether that was done in time."""
        self._stopped.set()
        self._stop_loop()
        if self._thread.ident is not None:
            self._thread.join(timeout_seconds)
        return not self._thread.is_alive()

    def _run(self) -> None:
        asyncio.run(self._supervise())

    async def _supervise(self) -> None:
        stop, loop = asyncio.Event(), asyncio.get_running_loop()
        self._stop_loop = lambda: loop.call_soon_threadsafe(stop.set)
        if self._stopped.is_set():
            return
        failures = 0
        while not stop.is_set():
            started = loop.time()
            try:
                await self._run_once(stop)
                failures = 0
            except Exception as error:  # noqa: BLE001  whatever ends kopf, the watching goes on
                failures = 0 if loop.time() - started > _LONG_RUN_SECONDS else failures
                delay_seconds = _RESTART_SECONDS[min(failures, len(_RESTART_SECONDS) - 1)]
                failures += 1
                log.warning(
                    "watches broke, starting over", extra={"reason": repr(error), "retry_seconds": delay_seconds}
                )
                await _wait(stop, delay_seconds)

    async def _run_once(self, stop: asyncio.Event) -> None:
        """Watch what is served until told to stop, until another kind is served too, or until an error."""
        served = await asyncio.to_thread(self._find_served, self._watches)
        missing = [watch for watch in self._watches if watch not in served]
        if missing:
            kinds = ", ".join(sorted({str(watch.kind) for watch in missing}))
            log.info("not served yet, will be watched as soon as they are", extra={"kinds": kinds})
        if not served:
            await _wait(stop, _RESTART_SECONDS[1])
            return
        leave = asyncio.Event()
        tasks = [asyncio.create_task(self._watch_with_kopf(served, leave)), asyncio.create_task(stop.wait())]
        if missing:
            tasks.append(asyncio.create_task(self._wait_for_kind(missing)))
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        leave.set()
        for task in tasks[1:]:
            task.cancel()
        await tasks[0]

    async def _wait_for_kind(self, missing: Sequence[Watch]) -> None:
        for attempt in range(1_000_000):
            await asyncio.sleep(_MISSING_KIND_SECONDS[min(attempt, len(_MISSING_KIND_SECONDS) - 1)])
            if await asyncio.to_thread(self._is_any_served, missing):
                return

    def _find_served(self, watches: Sequence[Watch]) -> dict[Watch, Resource]:
        """Ask the API server (what the client remembers may be out of date) how the kinds are served."""
        served: dict[Watch, Resource] = {}
        for group, version in {(watch.kind.group, watch.kind.version) for watch in watches}:
            try:
                found = self._client.request("GET", f"/apis/{group}/{version}" if group else f"/api/{version}")
            except errors.NotFound:
                continue
            by_kind = {entry["kind"]: entry for entry in found["resources"] if "/" not in entry["name"]}
            for watch in watches:
                entry = by_kind.get(watch.kind.kind)
                if (watch.kind.group, watch.kind.version) == (group, version) and entry is not None:
                    served[watch] = Resource(watch.kind, entry["name"], entry["namespaced"])
        return served

    def _is_any_served(self, watches: Sequence[Watch]) -> bool:
        try:
            return bool(self._find_served(watches))
        except errors.ApiError as error:
            log.debug("could not look for missing kinds", extra={"reason": str(error)})
            return False

    async def _watch_with_kopf(self, watches: Mapping[Watch, Resource], leave: asyncio.Event) -> None:
        registry, settings, login = kopf.OperatorRegistry(), make_settings(), Login(self._client)
        login.register(registry)
        for index, (watch, resource) in enumerate(watches.items()):
            plural = resource.plural
            if watch.name is not None:
                settings.watching.field_selectors[watch.kind.group, plural] = f"metadata.name={watch.name}"
            handler = _make_handler(watch)
            kopf.on.event(watch.kind.group, watch.kind.version, plural, id=f"watch-{index}", registry=registry)(handler)
        namespaces = {watch.namespace for watch in watches if watch.namespace is not None}
        everywhere = not namespaces or any(
            watch.namespace is None and resource.namespaced for watch, resource in watches.items()
        )
        try:
            await kopf.operator(
                registry=registry,
                settings=settings,
                standalone=True,
                clusterwide=everywhere,
                namespaces=() if everywhere else sorted(namespaces),
                stop_flag=leave,
            )
        finally:
            await login.close()


def make_settings() -> kopf.OperatorSettings:
    """Return kopf's settings for watching only: no traces in the cluster, no scan of all CRDs, no needless requests."""
    settings = kopf.OperatorSettings()
    settings.posting.enabled = False
    settings.peering.standalone = True
    # It would list and watch every CRD of the cluster with its schema; what is watched here is known.
    settings.scanning.disabled = True
    # An object may carry the default finalizer of another kopf operator, which is not ours to remove.
    settings.persistence.finalizer = "lca.openshift.io/never-used-by-kopf"
    settings.process.ultimate_exiting_timeout = None
    settings.queueing.exit_timeout = 1.0
    # Servers send a bookmark each minute; a few may be missing before a stream counts as dead.
    settings.watching.inactivity_timeout = 300.0
    settings.watching.connect_timeout = 10.0
    settings.networking.connect_timeout = 10.0
    settings.networking.request_timeout = 60.0
    settings.networking.error_backoffs = (0.2, 0.5, 1.0, 2.0, 5.0, 5.0, 5.0)
    return settings


def _make_handler(watch: Watch) -> Callable[..., Any]:
    async def handle(event: Any, **_: Any) -> None:
        obj = event["object"]
        if watch.namespace is not None and obj["metadata"].get("namespace") != watch.namespace:
            return
        watch.on_event(Event(event["type"] or "ADDED", obj))

    return handle


async def _wait(event: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(event.wait(), seconds)
    except TimeoutError:
        return
