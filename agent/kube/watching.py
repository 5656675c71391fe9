"""A watch: the changes of a collection, one after the other, resumed after lost connections."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator

import urllib3
from urllib3.exceptions import HTTPError

from agent.kube.errors import Closed, Transient, Unreachable, WatchExpired, error_from_status
from agent.kube.kind import Event, Object
from agent.kube.retry import Attempts, RetryPolicy

_LASTED_SECONDS = 1.0
_READ_BYTES = 1 << 16


class Watch(Iterator[Event]):
    """Yields events until its time is over or `stop` is called; usable as a context manager.

    `resource_version` is the place from which a new watch misses nothing. Lost connections are resumed from there.
    Raises `WatchExpired` when the server no longer has the history back to it (list again, then watch), and other
    `ApiError`s. `list_again` is asked when that happens before anything has come: a server that was just started may
    have no history back to the list that it gave a moment ago.
    """

    def __init__(
        self,
        open_stream: Callable[[str, float], urllib3.BaseHTTPResponse],
        *,
        resource_version: str,
        initial: Iterable[Object],
        timeout_seconds: float,
        policy: RetryPolicy,
        list_again: Callable[[], tuple[list[Object], str]] | None = None,
    ) -> None:
        self.resource_version = resource_version
        self._open_stream = open_stream
        self._list_again = list_again
        self._deadline = time.monotonic() + timeout_seconds
        self._stopped = threading.Event()
        self._attempts = Attempts(policy, self._stopped.wait, idempotent=True)
        self._lock = threading.Lock()  # between `stop` and the thread that reads
        self._response: urllib3.BaseHTTPResponse | None = None
        self._events = self._follow(initial)

    def __next__(self) -> Event:
        return next(self._events)

    def __enter__(self) -> Watch:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        with contextlib.suppress(ValueError):  # another thread is in it, and about to leave
            self._events.close()

    def stop(self) -> None:
        """End the iteration, also when another thread is blocked in it."""
        with self._lock:
            self._stopped.set()
            if self._response is not None:
                with contextlib.suppress(RuntimeError, ValueError, OSError):  # it is at its end already
                    self._response.shutdown()

    def _follow(self, initial: Iterable[Object]) -> Generator[Event]:
        existing = list(initial)
        yield from self._tell("ADDED", existing)
        while not self._stopped.is_set() and (remaining := self._deadline - time.monotonic()) > 0:
            started = time.monotonic()
            try:
                with contextlib.closing(self._lines(remaining)) as lines:
                    for line in lines:
                        self._attempts.reset()
                        if (event := self._take(line)) is not None:
                            yield event
            except Closed:
                return
            except WatchExpired:
                if self._list_again is None or time.monotonic() >= self._deadline:
                    raise
                before = {obj["metadata"]["uid"]: obj for obj in existing}
                existing, self.resource_version = self._list_again()
                gone = before.keys() - {obj["metadata"]["uid"] for obj in existing}
                yield from self._tell("DELETED", [before[uid] for uid in gone])
                yield from self._tell("ADDED", existing)
            except Transient as error:
                if self._stopped.is_set() or time.monotonic() >= self._deadline:
                    return
                if time.monotonic() - started > _LASTED_SECONDS:
                    self._attempts.reset()
                self._attempts.pause_after(error)

    def _tell(self, change: str, objects: Iterable[Object]) -> Generator[Event]:
        for obj in objects:
            if self._stopped.is_set():
                return
            yield Event(change, obj)

    def _lines(self, seconds: float) -> Generator[bytes]:
        """Open the stream and split it; what follows the last newline was cut off and comes again after resuming."""
        response = self._open_stream(self.resource_version, seconds)
        if not self._hold(response):
            return
        buffered = bytearray()
        try:
            for part in response.stream(_READ_BYTES):
                if self._stopped.is_set():  # shutting TLS down lets a blocked reader receive what is not decrypted
                    return
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
            if not self._stopped.is_set():
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
            raise error_from_status(obj)
        self._list_again = None
        self.resource_version = obj["metadata"]["resourceVersion"]
        return None if kind == "BOOKMARK" else Event(kind, obj)
