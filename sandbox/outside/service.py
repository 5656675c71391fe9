"""What the services outside the node have in common: one loopback port, and a line that says they listen on it."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path

from sandbox.controlplane.ports import LOOPBACK, describe_listener, is_free
from sandbox.daemon import Daemon, DaemonError

_READY_SECONDS = 30
_STOP_SECONDS = 5
_READY_TEXT = "listening on"


class Service(ABC):
    """A server on a loopback port, with its output in `log_file`; it dies with this process."""

    def __init__(
        self, name: str, argv: Sequence[str], *, port: int, log_file: Path, env: Mapping[str, str] | None = None
    ) -> None:
        self.port = port
        self._daemon = Daemon(name, argv, log=log_file, env={**os.environ, **(env or {})})

    @property
    def address(self) -> str:
        """`host:port`."""
        return f"{LOOPBACK}:{self.port}"

    @property
    def pid(self) -> int | None:
        """Process id, None when it is not running."""
        return self._daemon.pid

    @abstractmethod
    def write_configuration(self) -> None:
        """Write what the program reads at its start."""

    def start(self) -> None:
        """Start it unless it runs, and return once it serves. Raises DaemonError, with nothing left running."""
        if self.pid is not None:
            return
        if not is_free(self.port):
            holder = describe_listener(self.port)
            raise DaemonError(f"{self._daemon.name} cannot listen on {self.address}: it is taken by {holder}")
        self.write_configuration()
        self._daemon.start()
        try:
            self._daemon.wait_until(lambda: _READY_TEXT in self._daemon.tail(), timeout_seconds=_READY_SECONDS)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop it; clients are refused until `start`, and then find everything again."""
        self._daemon.stop(grace_seconds=_STOP_SECONDS)
