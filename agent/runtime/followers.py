"""Watches that last as long as somebody waits: one thread each, gone when the wait is over.

kopf, which does the lasting watches, would have to start over with all of them for every change of what is watched.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TypeAlias

from agent.kube import Client, Event, Kind, Object, errors
from agent.kube.watching import Watch

log = logging.getLogger(__name__)

Wake: TypeAlias = Callable[[float], object]
"""Called from any thread: look again after so many seconds."""

_SETTLING_SECONDS = 2.0
_RETRY_SECONDS = 5.0
_WATCH_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class Subject:
    """Objects whose common verdict is waited for: `judge` returns None when the wait is over, else why it is not.

    `reduce` keeps of an object what `judge` looks at; `seen` is the verdict that the waiting side knows.
    """

    kind: Kind
    namespace: str | None
    reduce: Callable[[Object], Object] = field(compare=False)
    judge: Callable[[Sequence[Object], datetime], str | None] = field(compare=False)
    seen: str = field(default="", compare=False)


class Followers:
    """Follows what is waited for; used by one thread, its watches by their own.

    The end of a wait wakes at once. A verdict that only changes its words wakes a little later: objects of a starting
    cluster change by the dozen.
    """

    def __init__(self, client: Client, wake: Wake) -> None:
        self._client = client
        self._wake = wake
        self._running: dict[Subject, _Follower] = {}

    def follow(self, watched: Iterable[Hashable]) -> None:
        """Watch these subjects from now on, and nothing else; what is watched already goes on."""
        wanted = {subject: subject for subject in watched if isinstance(subject, Subject)}
        for subject in self._running.keys() - wanted.keys():
            self._running.pop(subject).stop()
        for subject in wanted:
            follower = self._running.get(subject)
            if follower is not None and follower.is_alive():
                follower.seen = subject.seen
            else:
                self._running[subject] = _Follower(self._client, subject, self._wake)
                self._running[subject].start()


class _Follower(threading.Thread):
    """One watch, until it is stopped or the client is closed."""

    def __init__(self, client: Client, subject: Subject, wake: Wake) -> None:
        super().__init__(name=f"follow {subject.kind.kind}", daemon=True)
        self.seen = subject.seen
        self._client, self._subject, self._wake = client, subject, wake
        self._objects: dict[str, Object] = {}
        self._stopped = threading.Event()
        self._watch: Watch | None = None

    def stop(self) -> None:
        """End soon; no wake-up follows."""
        self._stopped.set()
        if (watch := self._watch) is not None:
            watch.stop()

    def run(self) -> None:
        kind = str(self._subject.kind)
        log.debug("following", extra={"kind": kind})
        while not self._stopped.is_set():
            try:
                self._follow()
            except errors.Closed:
                return
            except errors.ApiError as error:
                # Whoever waits looks by itself besides, only less often.
                log.info("can not follow", extra={"kind": kind, "reason": str(error)})
                self._stopped.wait(_RETRY_SECONDS)
        log.debug("no longer following", extra={"kind": kind})

    def _follow(self) -> None:
        """List, then watch from there; raises ApiError when everything has to be listed again."""
        subject = self._subject
        listed, version = self._client.list_with_version(subject.kind, subject.namespace)
        self._objects = {obj["metadata"]["uid"]: subject.reduce(obj) for obj in listed}
        del listed
        self._judge()
        while not self._stopped.is_set():
            with self._client.watch(
                subject.kind, subject.namespace, resource_version=version, timeout_seconds=_WATCH_SECONDS
            ) as watch:
                self._watch = watch
                if self._stopped.is_set():
                    return
                for event in watch:
                    self._apply(event)
                version = watch.resource_version

    def _apply(self, event: Event) -> None:
        uid = event.object["metadata"]["uid"]
        if event.type == "DELETED":
            self._objects.pop(uid, None)
        else:
            self._objects[uid] = self._subject.reduce(event.object)
        self._judge()

    def _judge(self) -> None:
        verdict = self._subject.judge(list(self._objects.values()), datetime.now(UTC))
        if self._stopped.is_set() or verdict == self.seen:
            return
        self._wake(0.0 if verdict is None else _SETTLING_SECONDS)
