"""A long-running program that lives exactly as long as this process wants it, and never longer than this process.

The kernel kills the program (SIGKILL) when its parent dies, however the parent dies: PR_SET_PDEATHSIG. That signal is
tied to the *thread* that forked, so all programs are forked from one thread that lives until the process ends.
"""

from __future__ import annotations

import ctypes
import errno
import os
import queue
import re
import select
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_LOOK_AGAIN_SECONDS = 0.05
_TAIL_BYTES = 64 * 1024
_QUOTED_CHARACTERS = 300
_FULL_BYTES = 64 * 1024  # less than this, and not even the log can be trusted to say so
_TELLING = re.compile(r'^[EF]\d{4} |^(?:error|panic|fatal)| [CE] \| |"level":"(?:error|fatal|panic)"', re.IGNORECASE)

_libc = ctypes.CDLL(None, use_errno=True)


class DaemonError(Exception):
    """A program could not be started, did not get ready, or died; one line saying what, where and what to do next."""


class _Forker:
    """The thread that forks; made anew in a forked child, which inherits no threads."""

    def __init__(self) -> None:
        self._jobs: queue.SimpleQueue[tuple[Future[subprocess.Popen[bytes]], Callable[[], subprocess.Popen[bytes]]]]
        self._jobs = queue.SimpleQueue()
        threading.Thread(target=self._work, name="forker", daemon=True).start()

    def _work(self) -> None:
        while True:
            future, fork = self._jobs.get()
            try:
                future.set_result(fork())
            except BaseException as error:  # noqa: BLE001 - handed to the caller, whose call it was
                future.set_exception(error)

    def run(self, fork: Callable[[], subprocess.Popen[bytes]]) -> subprocess.Popen[bytes]:
        future: Future[subprocess.Popen[bytes]] = Future()
        self._jobs.put((future, fork))
        return future.result()


_forker: _Forker | None = None
_forker_lock = threading.Lock()


def _forget_forker() -> None:
    global _forker, _forker_lock
    _forker, _forker_lock = None, threading.Lock()


os.register_at_fork(after_in_child=_forget_forker)


def _fork(argv: Sequence[str], *, log: int, cwd: Path | None, env: Mapping[str, str] | None) -> subprocess.Popen[bytes]:
    global _forker
    with _forker_lock:
        _forker = _forker or _Forker()
    parent = os.getpid()

    def bind_life() -> None:
        if _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL) or os.getppid() != parent:
            os._exit(127)

    # A session of its own: Ctrl-C on the terminal reaches us, and we stop the programs in the right order.
    return _forker.run(
        lambda: subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=cwd,
            env=env,
            start_new_session=True,
            preexec_fn=bind_life,
        )
    )


class Daemon:
    """One program: started, waited for by its readiness or its death, stopped by SIGTERM and, after a grace, SIGKILL.

    Everything it prints goes to the file `log`, begun anew at each start; the one before is kept as `log`.previous.
    """

    def __init__(
        self,
        name: str,
        argv: Sequence[str],
        *,
        log: Path,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.name, self.argv, self.log, self.cwd, self.env = name, list(argv), log, cwd, env
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def start(self) -> None:
        """Start the program; raises DaemonError when it can not even be executed."""
        try:
            self.log.parent.mkdir(parents=True, exist_ok=True)
            if self.log.exists():
                self.log.replace(self.log.with_name(self.log.name + ".previous"))
            with self.log.open("wb") as log:
                self._process = _fork(self.argv, log=log.fileno(), cwd=self.cwd, env=self.env)
        except (OSError, subprocess.SubprocessError) as error:
            raise DaemonError(f"{self.name} could not be started ({self.argv[0]}): {error}") from error

    def wait_until(self, ready: Callable[[], bool], *, timeout_seconds: float) -> None:
        """Return as soon as `ready()`; raise DaemonError when the program dies first or the time is over."""
        deadline = time.monotonic() + timeout_seconds
        while not self.wait(_LOOK_AGAIN_SECONDS):
            if ready():
                return
            if time.monotonic() > deadline:
                raise DaemonError(f"{self.name} is not ready after {timeout_seconds:.0f} s; {self._evidence()}")
        self.raise_if_dead()

    def raise_if_dead(self) -> None:
        """Raise DaemonError when the program has ended by itself."""
        code = self._process.poll() if self._process else None
        if code is None:
            return
        ending = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        raise DaemonError(f"{self.name} {ending}; {self._evidence()}")

    def wait(self, timeout_seconds: float) -> bool:
        """Wait for the program's end; True when it has ended (or was never started)."""
        process = self._process
        if process is None or process.poll() is not None:
            return True
        try:
            pidfd = os.pidfd_open(process.pid)
        except ProcessLookupError:  # reaped by another thread in this moment
            return True
        try:
            poller = select.poll()
            poller.register(pidfd, select.POLLIN)
            poller.poll(timeout_seconds * 1000)
        finally:
            os.close(pidfd)
        return process.poll() is not None

    def stop(self, *, grace_seconds: float = 15) -> None:
        """Stop the program and wait for its end; harmless when it does not run."""
        process, self._process = self._process, None
        if process is None or process.poll() is not None:
            return
        process.terminate()
        try:
            process.wait(grace_seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _evidence(self) -> str:
        lines = [line for line in self.tail().splitlines() if line.strip()]
        disk = os.statvfs(self.log.parent)
        if disk.f_bfree * disk.f_frsize < _FULL_BYTES:
            return f"the disk of {self.log.parent} is full: free some space there and start again"
        if full := [line for line in lines if os.strerror(errno.ENOSPC).lower() in line.lower()]:
            return f"a disk is full ({full[0][-_QUOTED_CHARACTERS:]}): free some space there and start again"
        telling = [line for line in lines if _TELLING.search(line)]
        said = (telling or lines or ["nothing"])[-1][:_QUOTED_CHARACTERS]
        return f"it said: {said}; the whole log: {self.log}"

    def tail(self) -> str:
        """The end of what the program has printed so far."""
        with self.log.open("rb") as log:
            log.seek(max(0, log.seek(0, os.SEEK_END) - _TAIL_BYTES))
            return log.read().decode(errors="replace")
