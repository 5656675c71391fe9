"""A server process that dies with its parent, says when it is ready and leaves its output in a log."""

from __future__ import annotations

import os
import socket
import subprocess
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

TAIL_LINES = 5


class ServiceError(Exception):
    """A service did not come up; one line that says why and where its log is."""


class Child:
    """One server process.

    The kernel kills it when the *thread* that called `start` ends, so start it from a thread that lives as long as
    the service should. `start` and `stop` may be repeated and called from one thread at a time.
    """

    def __init__(
        self,
        name: str,
        argv: Sequence[str],
        *,
        address: tuple[str, int],
        ready_text: str,
        log_file: Path,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self.address = address
        self.log_file = log_file
        self._argv = argv
        self._ready_text = ready_text
        self._env = {**os.environ, **(env or {})}
        self._process: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None

    @property
    def pid(self) -> int | None:
        """Process id, None when it is not running."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def start(self, *, timeout_seconds: float = 30) -> None:
        """Start it unless it runs, and return once it accepts connections. Raises ServiceError."""
        if self.pid is not None:
            return
        self._check_port()
        self.log_file.parent.mkdir(parents=True, exist_ok=True)
        argv = ("setpriv", "--pdeathsig", "KILL", "--", *self._argv)
        try:
            self._process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                env=self._env,
            )
        except FileNotFoundError as error:
            raise ServiceError(f"{self.name}: the program setpriv is missing; install util-linux") from error
        assert self._process.stdout is not None
        output = _Output(self._process.stdout, self.log_file, self._ready_text)
        self._reader = threading.Thread(target=output.pump, name=f"{self.name} log", daemon=True)
        self._reader.start()
        output.settled.wait(timeout_seconds)
        if not output.ready:
            reason = "ended at once" if output.settled.is_set() else f"was not ready after {timeout_seconds:g} s"
            self.stop()
            raise ServiceError(f"{self.name} {reason} (log: {self.log_file}): {' | '.join(output.tail)}")

    def stop(self, *, timeout_seconds: float = 5) -> None:
        """Stop it if it runs; its port is free afterwards."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(timeout_seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._reader:
            self._reader.join()
        self._process = self._reader = None

    def _check_port(self) -> None:
        host, port = self.address
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError as error:
                raise ServiceError(f"{self.name} cannot listen on {host}:{port}: {error.strerror}") from error


class _Output:
    """Copies a process's output to its log and notices the line that means "ready"; `settled` once that is decided."""

    def __init__(self, stream: IO[str], log_file: Path, ready_text: str) -> None:
        self.settled = threading.Event()
        self.ready = False
        self.tail: deque[str] = deque(maxlen=TAIL_LINES)
        self._stream = stream
        self._log_file = log_file
        self._ready_text = ready_text

    def pump(self) -> None:
        with self._stream, self._log_file.open("a") as log:
            for line in self._stream:
                log.write(line)
                log.flush()
                self.tail.append(line.strip())
                if not self.ready and self._ready_text in line:
                    self.ready = True
                    self.settled.set()
        self.settled.set()
