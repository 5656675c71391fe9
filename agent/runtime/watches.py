"""Keeps the watches of the process going, whatever happens to the API server, the CRDs, or kopf."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import Callable, Mapping, Sequence

from agent.kube import Client, Resource, errors
from agent.runtime.watch import Watch

log = logging.getLogger(__name__)

_RESTART_SECONDS = (1.0, 2.0, 5.0, 10.0, 30.0)
_MISSING_KIND_SECONDS = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0)
_LONG_RUN_SECONDS = 300.0
_TLS_CLOSING_SECONDS = 0.25
"""aiohttp says goodbye on TLS connections in the background; its documentation gives this time for it."""


class Watches:
    """All watches of the process, in one thread.

    A kind that is not served (its CRD is not installed yet, or was removed) is looked for again at growing intervals;
    the others are watched meanwhile. When the API server refuses or fails for long, everything starts over.
    `on_response` is called with method and status of every answer that kopf gets; `client` counts its own.
    """

    def __init__(
        self,
        client: Client,
        watches: Sequence[Watch],
        *,
        on_response: Callable[[str, int], object] = lambda method, status: None,
    ) -> None:
        self._client = client
        self._on_response = on_response
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
        await asyncio.sleep(_TLS_CLOSING_SECONDS)

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
        watching = asyncio.create_task(self._watch(served))
        reasons_to_leave: list[asyncio.Task[bool] | asyncio.Task[None]] = [asyncio.create_task(stop.wait())]
        if missing:
            reasons_to_leave.append(asyncio.create_task(self._wait_for_kind(missing)))
        tasks = [watching, *reasons_to_leave]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        # Handlers only enqueue, so nothing is lost by cancelling; to leave gracefully takes kopf seconds.
        for task in tasks:
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watching

    async def _watch(self, served: Mapping[Watch, Resource]) -> None:
        # A slow import: the controllers are at work by now.
        from agent.runtime.kopf_watching import watch_with_kopf

        await watch_with_kopf(self._client, served, self._on_response)

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


async def _wait(event: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(event.wait(), seconds)
    except TimeoutError:
        return
