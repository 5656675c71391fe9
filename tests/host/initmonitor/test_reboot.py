"""What is tried when the node does not go down. The root is a folder: nothing here may reach the machine's kernel."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.node.ending import ProgramError
from agent.node.initmonitor.reboot import await_reboot
from agent.node.waiting import Clock
from hostops.hostroot import HostRoot
from hostops.runner import HostRunner
from hostops.scopes import Scope

FORCED = ["systemctl reboot --force", "systemctl reboot --force --force"]


class StubbornNode:
    """A node that accepts every reboot and never goes down."""

    def __init__(self, directory: Path, *, refuses: bool = False) -> None:
        self.asked = directory / "asked"
        programs = directory / "bin"
        programs.mkdir()
        systemctl = programs / "systemctl"
        systemctl.write_text(f'#!/bin/bash\necho "systemctl $*" >>{self.asked}\nexit {int(refuses)}\n')
        systemctl.chmod(0o755)
        self.runner = HostRunner(Scope("stubborn", ("env", f"PATH={programs}:/usr/bin")))
        self.root = HostRoot(directory / "root")
        self.slept: list[float] = []
        for name in ("proc/sys/kernel/sysrq", "proc/sysrq-trigger"):
            (self.root.visible / name).parent.mkdir(parents=True, exist_ok=True)
            (self.root.visible / name).write_text("0")
        self.clock = Clock(lambda: 0.0, self._sleep)
        self.kernel: list[str] = []

    def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        command = (self.root.visible / "proc/sysrq-trigger").read_text()
        if command != "0":
            self.kernel.append(command)


def test_node_that_does_not_go_down_is_forced_ever_harder(tmp_path: Path) -> None:
    node = StubbornNode(tmp_path)
    with pytest.raises(ProgramError, match="^failed to reboot. This should never happen! Please check the system$"):
        await_reboot(node.runner, node.root, node.clock, accepted=True)
    assert node.asked.read_text().splitlines() == FORCED
    assert node.slept[:3] == [600, 120, 60]
    assert node.kernel == ["s", "u", "b"]
    assert (node.root.visible / "proc/sys/kernel/sysrq").read_text() == "1"


def test_reboot_that_is_refused_is_not_waited_for(tmp_path: Path) -> None:
    node = StubbornNode(tmp_path, refuses=True)
    with pytest.raises(ProgramError):
        await_reboot(node.runner, node.root, node.clock, accepted=False)
    assert node.asked.read_text().splitlines() == FORCED
    assert node.slept == [5, 5, 5]


def test_kernel_without_that_way_out_is_no_crash(tmp_path: Path) -> None:
    node = StubbornNode(tmp_path)
    (node.root.visible / "proc/sys/kernel/sysrq").unlink()
    (node.root.visible / "proc/sys/kernel").rmdir()
    with pytest.raises(ProgramError):
        await_reboot(node.runner, node.root, node.clock, accepted=True)
    assert node.kernel == []
