"""Runs containers: one thread forks them, takes in their output and notices their end.

All containers are children of that thread and die with it (bubblewrap's --die-with-parent is tied to the thread that
forked), hence with the process, however it ends.
"""

from __future__ import annotations

import json
import logging
import os
import select
import selectors
import signal
import subprocess
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue

from sandbox.cluster.kubelet.bubblewrap import ContainerPlan, bubblewrap_argv
from sandbox.cluster.kubelet.logs import LogWriter

_CHUNK_BYTES = 64 * 1024

_log = logging.getLogger(__name__)

OnExit = Callable[[int], None]


class Container:
    """A running container; signals reach its program, or all of it."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self.init_pid: int | None = None
        """The first process in the container's process namespace (bubblewrap itself); known soon after the start."""
        self.ports: dict[int, int] = {}
        """Declared port -> the port of the machine that stands for it."""

    @property
    def running(self) -> bool:
        """Whether its end has not been noticed yet."""
        return self._process.returncode is None

    @property
    def program_pid(self) -> int | None:
        """The container's program, as the node counts processes; None while it has not begun."""
        if self.init_pid is None:
            return None
        with suppress(OSError):
            children = Path(f"/proc/{self.init_pid}/task/{self.init_pid}/children").read_text().split()
            return next((int(pid) for pid in children if _is_second_in_namespace(int(pid))), None)
        return None

    def terminate(self) -> None:
        """Ask the program to end; a container that has not begun yet is killed."""
        pid = self.program_pid
        if pid is None:
            self.kill()
            return
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)

    def kill(self) -> None:
        """End everything in the container at once."""
        if self.running:
            self._process.kill()


class Runtime:
    """The thread that owns all containers of the node."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._jobs: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._selector.register(self._wake, selectors.EVENT_READ, self._do_jobs)
        self._stopping = False
        self._thread = threading.Thread(target=self._loop, name="containers", daemon=True)
        self._thread.start()

    def start(self, plan: ContainerPlan, log: Path, on_exit: OnExit) -> Container:
        """Start a container; `on_exit` gets its exit code (128 + signal when killed) in this object's thread.

        Raises OSError when bubblewrap can not be executed.
        """
        future: Future[Container] = Future()

        def job() -> None:
            try:
                future.set_result(self._start(plan, log, on_exit))
            except BaseException as error:  # noqa: BLE001 - handed to the caller, whose call it was
                future.set_exception(error)

        self._post(job)
        return future.result()

    def stop(self) -> None:
        """Kill what still runs and end the thread."""

        def job() -> None:
            self._stopping = True

        self._post(job)
        self._thread.join()

    def _post(self, job: Callable[[], None]) -> None:
        self._jobs.put(job)
        os.eventfd_write(self._wake, 1)

    def _loop(self) -> None:
        while not self._stopping:
            for key, _ in self._selector.select():
                if self._selector.get_map().get(key.fileobj) is key:  # not closed by the one before it
                    self._handle(key)

    def _handle(self, key: selectors.SelectorKey) -> None:
        try:
            key.data()
        except Exception:  # noqa: BLE001 - one container's trouble must not end the thread, all others would die with it
            _log.exception("a container's output is lost from here on")
            self._forget(key.fd)

    def _do_jobs(self) -> None:
        os.eventfd_read(self._wake)
        with suppress(Empty):
            while True:
                self._jobs.get_nowait()()

    def _start(self, plan: ContainerPlan, log: Path, on_exit: OnExit) -> Container:
        pipes = {name: os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK) for name in ("stdout", "stderr", "info")}
        for _, write_end in pipes.values():
            os.set_blocking(write_end, True)
        try:
            process = subprocess.Popen(
                bubblewrap_argv(plan, pipes["info"][1]),
                stdin=subprocess.DEVNULL,
                stdout=pipes["stdout"][1],
                stderr=pipes["stderr"][1],
                pass_fds=[pipes["info"][1]],
                start_new_session=True,
            )
        except BaseException:
            for read_end, _ in pipes.values():
                os.close(read_end)
            raise
        finally:
            for _, write_end in pipes.values():
                os.close(write_end)
        container, writer = Container(process), LogWriter(log)
        for stream in ("stdout", "stderr"):
            self._watch_output(pipes[stream][0], stream, writer)
        self._watch_info(pipes["info"][0], container)
        self._watch_end(process, [pipes["stdout"][0], pipes["stderr"][0]], writer, on_exit)
        return container

    def _watch_output(self, fd: int, stream: str, writer: LogWriter) -> None:
        def read() -> None:
            with suppress(BlockingIOError):
                if data := os.read(fd, _CHUNK_BYTES):
                    writer.write(stream, data)
                else:
                    self._forget(fd)

        self._selector.register(fd, selectors.EVENT_READ, read)

    def _watch_info(self, fd: int, container: Container) -> None:
        received = bytearray()

        def read() -> None:
            with suppress(BlockingIOError):
                if data := os.read(fd, _CHUNK_BYTES):
                    received.extend(data)
                    return
                self._forget(fd)
                if received:
                    container.init_pid = json.loads(received)["child-pid"]

        self._selector.register(fd, selectors.EVENT_READ, read)

    def _watch_end(
        self, process: subprocess.Popen[bytes], outputs: list[int], writer: LogWriter, on_exit: OnExit
    ) -> None:
        pidfd = os.pidfd_open(process.pid)

        def reap() -> None:
            try:
                for fd in outputs:
                    while fd in self._selector.get_map():
                        if not _is_readable(fd):
                            self._forget(fd)  # somebody outside the container holds the other end
                            break
                        self._selector.get_key(fd).data()
                writer.close()
            finally:
                code = process.wait()
                self._forget(pidfd)
                on_exit(code if code >= 0 else 128 - code)

        self._selector.register(pidfd, selectors.EVENT_READ, reap)

    def _forget(self, fd: int) -> None:
        self._selector.unregister(fd)
        os.close(fd)


def _is_readable(fd: int) -> bool:
    poller = select.poll()
    poller.register(fd, select.POLLIN)
    return bool(poller.poll(0))


def _is_second_in_namespace(pid: int) -> bool:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("NSpid:"):
            return line.split()[-1] == "2"
    return False
