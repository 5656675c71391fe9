"""Programs whose life is bound to ours, shown with shells that sleep; the processes are real."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sandbox.daemon import Daemon, DaemonError

MakeDaemon = Callable[[str], Daemon]

START_AND_WAIT = """
import pathlib, sys
from sandbox.daemon import Daemon
daemon = Daemon("sleeper", ["sleep", "1000"], log=pathlib.Path(sys.argv[1]))
daemon.start()
print(daemon.pid, flush=True)
sys.stdin.read()
"""

START_IN_A_FORKED_CHILD = """
import os, pathlib, sys
from sandbox.daemon import Daemon
Daemon("first", ["sleep", "1000"], log=pathlib.Path(sys.argv[1])).start()
if os.fork() == 0:
    second = Daemon("second", ["true"], log=pathlib.Path(sys.argv[1] + ".second"))
    second.start()
    os._exit(0 if second.wait(10) else 1)
sys.exit(os.waitstatus_to_exitcode(os.wait()[1]))
"""


@pytest.fixture
def make_daemon(tmp_path: Path) -> Iterator[MakeDaemon]:
    daemons: list[Daemon] = []

    def make(script: str) -> Daemon:
        daemons.append(Daemon("shell", ["sh", "-c", script], log=tmp_path / "shell.log"))
        return daemons[-1]

    yield make
    for daemon in daemons:
        daemon.stop(grace_seconds=0)


def has_said(daemon: Daemon, word: str) -> Callable[[], bool]:
    return lambda: word in daemon.tail()


def test_ready_program_is_waited_for_and_stopped(make_daemon: MakeDaemon) -> None:
    daemon = make_daemon("echo ready; exec sleep 1000")
    daemon.start()
    daemon.wait_until(has_said(daemon, "ready"), timeout_seconds=10)
    pid = daemon.pid
    daemon.stop()
    assert not Path(f"/proc/{pid}").exists()
    assert daemon.pid is None


def test_program_that_ignores_sigterm_is_killed(make_daemon: MakeDaemon) -> None:
    daemon = make_daemon("trap '' TERM; echo ready; exec sleep 1000")
    daemon.start()
    daemon.wait_until(has_said(daemon, "ready"), timeout_seconds=10)
    daemon.stop(grace_seconds=0.1)
    assert daemon.wait(0)


def test_death_before_readiness_is_told_with_the_last_error(make_daemon: MakeDaemon, tmp_path: Path) -> None:
    daemon = make_daemon("echo Error: no such flag; echo bye; exit 3")
    daemon.start()
    with pytest.raises(DaemonError, match=rf"shell ended with exit code 3; it said: Error: no such .*{tmp_path}"):
        daemon.wait_until(lambda: False, timeout_seconds=10)


def test_later_death_is_told_with_its_signal(make_daemon: MakeDaemon) -> None:
    daemon = make_daemon("echo ready; kill -9 $$")
    daemon.start()
    assert daemon.wait(10)
    with pytest.raises(DaemonError, match="shell was killed by SIGKILL; it said: ready"):
        daemon.raise_if_dead()


def test_program_that_is_never_ready_is_told(make_daemon: MakeDaemon) -> None:
    daemon = make_daemon("echo busy; exec sleep 1000")
    daemon.start()
    daemon.wait_until(has_said(daemon, "busy"), timeout_seconds=10)
    with pytest.raises(DaemonError, match="shell is not ready after 0 s; it said: busy"):
        daemon.wait_until(lambda: False, timeout_seconds=0)


def test_full_disk_is_told_as_such(make_daemon: MakeDaemon) -> None:
    daemon = make_daemon("echo 'write /data/wal: no space left on device'; exit 1")
    daemon.start()
    with pytest.raises(DaemonError, match=r"a disk is full \(write /data/wal: .*: free some space there"):
        daemon.wait_until(lambda: False, timeout_seconds=10)


def test_program_that_can_not_be_executed_is_named(tmp_path: Path) -> None:
    with pytest.raises(DaemonError, match=r"etcd could not be started \(/no/such/etcd\)"):
        Daemon("etcd", ["/no/such/etcd"], log=tmp_path / "log").start()


def test_new_start_keeps_the_log_of_the_run_before(make_daemon: MakeDaemon, tmp_path: Path) -> None:
    daemon = make_daemon("echo $$")
    for _ in range(2):
        daemon.start()
        assert daemon.wait(10)
    assert daemon.tail() != (tmp_path / "shell.log.previous").read_text() != ""


def test_program_outlives_the_thread_that_started_it(make_daemon: MakeDaemon) -> None:
    daemon = make_daemon("exec sleep 1000")
    starter = threading.Thread(target=daemon.start)
    starter.start()
    starter.join()
    assert not daemon.wait(0.2)


def test_program_dies_with_the_killed_process_that_started_it(tmp_path: Path) -> None:
    command = [sys.executable, "-c", START_AND_WAIT, str(tmp_path / "log")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout
        pidfd = os.pidfd_open(int(parent.stdout.readline()))
        parent.kill()
    poller = select.poll()
    poller.register(pidfd, select.POLLIN)
    ended = poller.poll(5000)
    os.close(pidfd)
    assert ended


def test_forked_child_can_start_programs_too(tmp_path: Path) -> None:
    command = [sys.executable, "-c", START_IN_A_FORKED_CHILD, str(tmp_path / "log")]
    assert subprocess.run(command, check=False, timeout=30).returncode == 0
