"""A watch: the changes of a collection, one after the other, resumed after lost connections."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterable, Iterator

import urllib3
from urllib3.exceptions import HTTPError

from agent.kube.errors import Gone, Transient, Unreachable, WatchExpired, error_from_status
from agent.kube.kind import Event, Object
from agent.kube.retry import Attempts

_LASTED_SECONDS = 1.0
_READ_BYTES = 1 << 16


class Watch(Iterator[Event]):
    """Yields events until its time is over or `stop` is called; usable as a context manager.

    `resource_version` is the place from which a new watch misses nothing. Lost connections are resumed from there.
    Raises `WatchExpired` when the server no longer has the history back to it (list again, then watch), and other
    `ApiError`s.
    """

    def __init__(
        self,
        open_stream: Callable[[str, float], urllib3.BaseHTTPResponse],
        *,
        resource_version: str,
        initial: Iterable[Object],
        timeout_seconds: float,
        attempts: Attempts,
    ) -> None:
        self.resource_version = resource_version
        self._open_stream = open_stream
        self._attempts = attempts
        self._deadline = time.monotonic() + timeout_seconds
        self._lock = threading.Lock()
        self._stopped = False
        self._response: urllib3.BaseHTTPResponse | None = None
        self._events = self._run(initial)

    def __next__(self) -> Event:
        return next(self._events)

    def __enter__(self) -> Watch:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """End the iteration, also when another thread is blocked in it."""
        with self._lock:
            self._stopped = True
            if self._response is not None:
                self._response.shutdown()

    def _run(self, initial: Iterable[Object]) -> Iterator[Event]:
        for obj in initial:
            if self._stopped:
                return
            yield Event("ADDED", obj)
        while not self._stopped and (remaining := self._deadline - time.monotonic()) > 0:
            started = time.monotonic()
            try:
                for line in self._lines(remaining):
                    self._attempts.reset()
                    if (event := self._take(line)) is not None:
                        yield event
            except Transient as error:
                if self._stopped or time.monotonic() >= self._deadline:
                    return
                if time.monotonic() - started > _LASTED_SECONDS:
                    self._attempts.reset()
                self._attempts.pause_after(error)

    def _lines(self, seconds: float) -> Iterator[bytes]:
        """Open the stream and split it; what follows the last newline was cut off and comes again after resuming."""
        response = self._open_stream(self.resource_version, seconds)
        if not self._hold(response):
            return
        buffered = bytearray()
        try:
            for part in response.stream(_READ_BYTES):
                *lines, rest = part.split(b"\n")
                for line in lines:
                    yield bytes(buffered + line)
                    buffered.clear()
                buffered += rest
            raise Unreachable("the API server ended the watch early")
        except (HTTPError, OSError) as problem:
            raise Unreachable(f"the watch was cut off: {problem}") from problem
        finally:
            self._let_go(response)

    def _hold(self, response: urllib3.BaseHTTPResponse) -> bool:
        """Let `stop` reach the response; False when it came before."""
        with self._lock:
            if not self._stopped:
                self._response = response
                return True
        response.close()
        return False

    def _let_go(self, response: urllib3.BaseHTTPResponse) -> None:
        with self._lock:
            self._response = None
        response.close()

    def _take(self, line: bytes) -> Event | None:
        """Read one event and remember how far we are; bookmarks only move that mark."""
        received = json.loads(line)
        kind, obj = received["type"], received["object"]
        if kind == "ERROR":
            error = error_from_status(obj)
            raise (
                WatchExpired(error.message, status=error.status, reason=error.reason)
                if isinstance(error, Gone)
                else error
            )
        self.resource_version = obj["metadata"]["resourceVersion"]
        return None if kind == "BOOKMARK" else Event(kind, obj)
