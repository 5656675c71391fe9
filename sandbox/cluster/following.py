"""A collection followed for as long as the cluster runs: list, watch, list again when the history is lost."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from agent.kube import Client, Event, Kind, Object, Watch, errors

_WATCH_SECONDS = 3600.0
_PAUSE_SECONDS = 1.0


class Stopping(threading.Event):
    """An event that, when it is set, also ends the watches that wait for the API server."""

    def __init__(self) -> None:
        super().__init__()
        self._guard = threading.Lock()
        self._watches: set[Watch] = set()

    def set(self) -> None:
        """Set the event and end all watches."""
        with self._guard:
            super().set()
            watches = list(self._watches)
        for watch in watches:
            watch.stop()

    @contextmanager
    def ending(self, watch: Watch) -> Iterator[Watch]:
        """End `watch` with the block, or as soon as the event is set."""
        with self._guard:
            self._watches.add(watch)
            if self.is_set():
                watch.stop()
        try:
            with watch:
                yield watch
        finally:
            with self._guard:
                self._watches.discard(watch)


def follow(
    client: Client, kind: Kind, stop: threading.Event, namespace: str | None = None, *, name: str | None = None
) -> Iterator[Event]:
    """Yield every object as ADDED, then each change, until `stop` is set or the client is closed.

    After a gap the objects are listed again: what exists comes as ADDED once more, what is gone as DELETED. A kind that
    is not served (yet) is waited for. A plain event ends the iteration only at the next change; `Stopping` at once.
    """
    known: dict[str, Object] = {}
    while not stop.is_set():
        try:
            selector = f"metadata.name={name}" if name else None
            items, version = client.list_with_version(kind, namespace, fields=selector)
            present = {
                item["metadata"]["uid"]: {**item, "apiVersion": kind.api_version, "kind": kind.kind} for item in items
            }
            yield from (Event("DELETED", known[uid]) for uid in known.keys() - present.keys())
            yield from (Event("ADDED", item) for item in present.values())
            known = present
            while not stop.is_set():
                watch = client.watch(
                    kind, namespace, name=name, resource_version=version, timeout_seconds=_WATCH_SECONDS
                )
                with stop.ending(watch) if isinstance(stop, Stopping) else watch:
                    for event in watch:
                        uid = event.object["metadata"]["uid"]
                        known[uid] = event.object
                        if event.type == "DELETED":
                            del known[uid]
                        yield event
                    version = watch.resource_version
        except errors.WatchExpired:
            continue
        except (errors.Transient, errors.KindNotServed):
            stop.wait(_PAUSE_SECONDS)
        except errors.Closed:
            return
