"""However the process that started a control plane dies, nothing of it stays."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
from pathlib import Path

START_AND_PAUSE = """
import json, pathlib, signal, sys
from sandbox.controlplane import ControlPlane
plane = ControlPlane(pathlib.Path(sys.argv[1]))
plane.start()
print(json.dumps(list(plane.pids.values())), flush=True)
signal.pause()
"""

PAUSING_TEST = """
import json, os, signal
def test_pauses(control_plane):
    os.write(1, json.dumps(list(control_plane.pids.values())).encode() + b"\\n")
    signal.pause()
"""


def is_gone_within(pid: int, seconds: float) -> bool:
    """Whether the process ends in time; one that is no longer there has ended."""
    try:
        pidfd = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        poller = select.poll()
        poller.register(pidfd, select.POLLIN)
        return bool(poller.poll(seconds * 1000))
    finally:
        os.close(pidfd)


def kill_once_started(*argv: str) -> list[int]:
    """Run a command that prints the pids of a control plane, kill it then, return the pids."""
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        line = next(line for line in process.stdout if line.startswith("["))
        process.kill()
        process.wait()
        pids: list[int] = json.loads(line)
    return pids


def test_killed_parent_leaves_no_program(tmp_path: Path) -> None:
    pids = kill_once_started(sys.executable, "-c", START_AND_PAUSE, str(tmp_path))
    assert len(pids) == 3
    assert all(is_gone_within(pid, 5) for pid in pids)


def test_killed_test_run_leaves_no_program(tmp_path: Path) -> None:
    (tmp_path / "test_pausing.py").write_text(PAUSING_TEST)
    run = [sys.executable, "-m", "pytest", "-q", "-s", "-p", "tests.api.conftest", "--rootdir", str(tmp_path)]
    pids = kill_once_started(*run, str(tmp_path))
    assert len(pids) == 3
    assert all(is_gone_within(pid, 5) for pid in pids)
