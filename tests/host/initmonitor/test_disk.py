"""The reason of a rollback survives a disk that is full or, where that is possible at all, read-only."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from agent.node.ending import ProgramError
from agent.node.initmonitor.lastresort import overwrite_reason
from agent.node.initmonitor.program import watch
from agent.node.initmonitor.reserve import RESERVE_BYTES, Reserve
from tests.host.pivotednode import OLD, SAVED, PivotedNode

MESSAGE = "Rollback due to LCA Init Monitor timeout, after 5m0s"
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def fill(disk: Path) -> None:
    """Write until nothing more fits."""
    with contextlib.suppress(OSError), (disk / "filler").open("ab", buffering=0) as file:
        while True:
            file.write(b"x" * 4096)


def run_watch(pivoted: PivotedNode, *, filled_after_start: bool) -> None:
    """One run; the disk gets full while the watchdog waits."""
    clock = pivoted.clock

    def sleep(seconds: float) -> None:
        if filled_after_start and not pivoted.slept:
            fill(pivoted.node.directory)
        clock.sleep(seconds)

    watch(pivoted.runner, pivoted.root, "ibu", type(clock)(clock.now, sleep))


def test_reason_is_saved_on_a_full_disk_in_the_reserved_space(small_disk: PivotedNode) -> None:
    run_watch(small_disk, filled_after_start=True)
    assert small_disk.slept[:2] == [300, 10]  # the second attempt works
    assert small_disk.reason == MESSAGE
    assert small_disk.default_switched
    assert small_disk.rebooted


def test_reason_is_written_over_the_saved_resource_when_no_space_was_reserved(small_disk: PivotedNode) -> None:
    fill(small_disk.node.directory)
    with pytest.raises(ProgramError, match="No space left on device"):  # ostree's, which needs a little more
        run_watch(small_disk, filled_after_start=False)
    assert small_disk.reason == MESSAGE
    assert not small_disk.rebooted
    saved = json.loads(small_disk.saved_file.read_text())
    assert "managedFields" not in saved["metadata"]
    assert saved["spec"] == SAVED["spec"]


def test_saved_resource_that_can_not_be_written_over_stays_whole(small_disk: PivotedNode) -> None:
    """It fills its last page to the end, and the new one needs more."""
    spec = {"stage": "Upgrade", "seedImageRef": {"version": "4.16.1", "image": ""}}
    plain = {"metadata": {"name": "upgrade"}, "spec": spec, "status": {"conditions": []}}
    missing = 4096 - len(json.dumps(plain))
    spec["seedImageRef"] = {"version": "4.16.1", "image": "x" * missing}
    content = json.dumps(plain)
    assert len(content) == 4096
    small_disk.save(content)
    fill(small_disk.node.directory)
    with pytest.raises(OSError, match="No space left"):
        overwrite_reason(small_disk.root, OLD, MESSAGE, NOW)
    assert small_disk.saved_file.read_text() == content


def test_node_is_not_rebooted_when_the_whole_disk_is_read_only(small_disk: PivotedNode) -> None:
    """The boot order can not be changed, so a reboot would lead into the same release."""
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk.node.directory)], check=True)
    with pytest.raises(ProgramError, match="Read-only file system"):
        run_watch(small_disk, filled_after_start=False)
    assert small_disk.reason == "Uncontrolled rollback"
    assert not small_disk.rebooted


def test_reason_is_saved_when_only_the_nodes_own_var_is_read_only(pivoted: PivotedNode) -> None:
    pivoted.runner.run("mount", "-o", "remount,bind,ro", "/var")
    run_watch(pivoted, filled_after_start=False)
    assert pivoted.reason == MESSAGE
    assert pivoted.default_switched
    assert pivoted.rebooted


def test_reserve_holds_its_space_and_gives_it_back(small_disk: PivotedNode) -> None:
    def free_bytes() -> int:
        status = os.statvfs(small_disk.node.directory)
        return status.f_bavail * status.f_frsize

    before = free_bytes()
    reserve = Reserve(small_disk.root)
    reserve.make()
    reserve.make()
    assert before - free_bytes() == RESERVE_BYTES
    reserve.release()
    reserve.release()
    assert free_bytes() == before
