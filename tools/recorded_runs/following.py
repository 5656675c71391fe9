"""Every state of the resource, as it is stored, and the waits for what comes next."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace

from agent.kube import Client
from tools.recorded_runs.cluster import IBU
from tools.recorded_runs.state import Object, State, read_object

_FOLLOW_SECONDS = 3600.0
_LOOK_SECONDS = 1.0


class Follower:
    """Collects what is stored from now on; a context manager.

    `objects` are all versions, `states` the distinct states, each in the form that `canonical` gives it.
    """

    def __init__(self, client: Client, canonical: Callable[[State], State] = lambda state: state) -> None:
        found, version = client.list_with_version(IBU)
        self.objects: list[Object] = list(found)
        self.states: list[State] = [canonical(read_object(obj)) for obj in found]
        self._canonical = canonical
        self._watch = client.watch(IBU, resource_version=version, timeout_seconds=_FOLLOW_SECONDS)
        self._changed = threading.Condition()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._follow, daemon=True)

    def __enter__(self) -> Follower:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._watch.stop()
        self._thread.join()
        if self._error is not None:
            raise self._error

    def wait_for(
        self, state: State, after: int, is_hopeless: Callable[[], bool], patience_seconds: float
    ) -> int | None:
        """Return the place, behind `after`, at which the resource first looks like `state` and has had its history.

        None when it does not within `patience_seconds` and `is_hopeless` says that it will not.
        """
        deadline = time.monotonic() + patience_seconds
        while True:
            with self._changed:
                place = self._find(state, after)
                if place is not None:
                    return place
                self._changed.wait(_LOOK_SECONDS)
            if time.monotonic() > deadline and is_hopeless():
                return None

    def wait_until(self, matches: Callable[[Object], bool], timeout_seconds: float = 60.0) -> Object:
        """Return the newest version once it matches. Raises TimeoutError, which shows it."""
        with self._changed:
            if not self._changed.wait_for(lambda: bool(self.objects) and matches(self.objects[-1]), timeout_seconds):
                raise TimeoutError(f"it never became so within {timeout_seconds} s:\n{self.states[-1:]}")
            return self.objects[-1]

    def _find(self, state: State, after: int) -> int | None:
        later = self.states[after + 1 :]
        looks = [index for index, seen in enumerate(later) if replace(seen, history=state.history) == state]
        had = any(seen.history == state.history for seen in self.states[max(after, 0) :])
        return after + 1 + looks[0] if looks and had else None

    def _follow(self) -> None:
        try:
            for event in self._watch:
                if event.type == "DELETED":
                    continue
                state = self._canonical(read_object(event.object))
                with self._changed:
                    self.objects.append(event.object)
                    if not self.states or self.states[-1] != state:
                        self.states.append(state)
                    self._changed.notify_all()
        except BaseException as error:  # noqa: BLE001  raised again where the states are used
            self._error = error
