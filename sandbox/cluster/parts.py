"""The parts of the cluster process: threads that work until the cluster stops, begun again when they fail."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from agent.kube import errors
from sandbox.cluster.following import Stopping

_AGAIN_SECONDS = 1.0
_STACK_BYTES = 512 * 1024

_log = logging.getLogger(__name__)

Work = Callable[[Stopping], None]
"""Works until the event is set; may return earlier when nothing is left to do."""


class Parts:
    """Named threads with one common end."""

    def __init__(self) -> None:
        self.stopping = Stopping()
        self._threads: list[threading.Thread] = []
        threading.stack_size(_STACK_BYTES)

    def start(self, name: str, work: Work) -> None:
        """Run `work` in a thread; if it raises, say so and run it again a second later."""
        thread = threading.Thread(target=self._run, args=(name, work), name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _run(self, name: str, work: Work) -> None:
        while not self.stopping.is_set():
            try:
                work(self.stopping)
                return
            except errors.Closed:
                return
            except Exception:  # noqa: BLE001 - a part must not end the node; it is logged with its trace
                _log.exception("%s failed and is started again", name)
                self.stopping.wait(_AGAIN_SECONDS)

    def stop(self, timeout_seconds: float) -> None:
        """Tell all parts to end and wait for them; name those that do not."""
        self.stopping.set()
        for thread in self._threads:
            thread.join(timeout_seconds)
        if late := [thread.name for thread in self._threads if thread.is_alive()]:
            _log.warning("still running after %.0f s: %s", timeout_seconds, ", ".join(late))
