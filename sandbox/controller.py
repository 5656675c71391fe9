"""The loop of a stand-in: watches feed one queue, one thread works it off."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from typing import TypeAlias

from agent.kube import Client, Event, Kind, errors
from agent.runtime.delay_queue import DelayQueue
from sandbox.cluster.following import Stopping, follow

_RETRY_SECONDS = 1.0

_log = logging.getLogger(__name__)

Handler: TypeAlias = Callable[[str, str | None], float | None]
"""Looks at the object of this name and namespace, which may be gone; returns after how many seconds to look again."""
Key: TypeAlias = tuple[Kind, str, str | None]


def at_once(_: Event) -> float:
    """The usual delay between an event and the look at its object: none."""
    return 0.0


def run_controller(
    client: Client,
    handlers: Mapping[Kind, Handler],
    stop: Stopping,
    *,
    namespace: str | None = None,
    delay_of: Callable[[Event], float] = at_once,
) -> None:
    """Call the handler of each object that exists or changes, one at a time, until `stop` is set or the client closed.

    What the API refuses is logged and tried again; an object deleted under the handler's hands is no error.
    """
    queue: DelayQueue[Key] = DelayQueue()

    def feed(kind: Kind) -> None:
        for event in follow(client, kind, stop, namespace):
            metadata = event.object["metadata"]
            queue.add((kind, metadata["name"], metadata.get("namespace")), delay_of(event))

    def close() -> None:
        stop.wait()
        queue.close()

    threads = [threading.Thread(target=feed, args=(kind,), name=f"watch {kind.kind}", daemon=True) for kind in handlers]
    threads.append(threading.Thread(target=close, name="close queue", daemon=True))
    for thread in threads:
        thread.start()
    while (key := queue.take()) is not None:
        kind, name, place = key
        delay: float | None = None
        try:
            delay = handlers[kind](name, place)
        except errors.Closed:
            break
        except errors.NotFound as error:
            _log.info("%s %s: %s", kind.kind, name, error)
        except errors.ApiError as error:
            _log.warning("%s %s: %s", kind.kind, name, error)
            delay = _RETRY_SECONDS
        if delay is not None:
            queue.add(key, delay)
    if stop.is_set():
        for thread in threads:
            thread.join()
