"""The steps that configure a node, each by itself: the node's root is a folder, its programs are played by a recorder.

Real: files and folders, and the programs bash and tail. What a whole node does with these steps is in tests/flow/pivot.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from agent.node.postpivot.itinerary import CONFIGURE_NODE
from agent.node.postpivot.run import PostPivot
from agent.node.waiting import Clock
from agent.workflow.outcome import Failed, Outcome
from hostops.hostroot import HostRoot
from hostops.runner import HostRunner
from hostops.scopes import Scope
from seeds.format import SeedClusterInfo
from seeds.reconfiguration import SeedReconfiguration

OPENSHIFT = "/opt/openshift"
PROGRAMS = ("chcon", "chown", "hostnamectl", "lsblk", "mount", "nmstatectl", "podman", "pvscan", "systemctl", "umount")
SEED = SeedClusterInfo(
    base_domain="seed.example.com",
    cluster_name="seed",
    node_ips=("192.168.127.10",),
    hostname="seed1",
    release_registry="quay.io",
    recert_image="quay.io/recert:v0",
    ingress_certificate_cn="ingress-operator@1",
)
SITE: dict[str, Any] = {
    "api_version": 1,
    "base_domain": "example.com",
    "cluster_name": "sno",
    "cluster_id": "11111111-2222-3333-4444-555555555555",
    "node_ips": ["192.168.126.10"],
    "machine_networks": ["192.168.126.0/24"],
    "hostname": "sno1",
    "pull_secret": '{"auths":{"quay.io":{"auth":"dXNlcjpwYXNzd29yZA=="}}}',
    "kubeadmin_password_hash": "$2a$10$abcdefghijklmnopqrstuv",
}

_RECORDER = """#!/bin/bash
name=${0##*/}
{ printf '%s\\0' "$name" "$@"; printf '\\n'; } >>"$NODE/commands"
[ ! -e "$NODE/faults/$name" ] || . "$NODE/faults/$name"
exit 0
"""


class FolderNode:
    """A node whose root is a folder, and the run of the program on it. The clock goes on only while somebody sleeps."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        for name in ("root", "bin", "faults"):
            (directory / name).mkdir()
        for program in PROGRAMS:
            path = directory / "bin" / program
            path.write_text(_RECORDER)
            path.chmod(0o755)
        (directory / "commands").touch()
        self.seconds = 0.0
        scope = Scope("folder", ("env", f"NODE={directory}", f"PATH={directory}/bin:/usr/bin"))
        self.root = HostRoot(directory / "root")
        self.run = PostPivot(self.root, HostRunner(scope), Clock(lambda: self.seconds, self._sleep))
        self.run.seed = SEED
        self.set_site()
        self.run.hostname = "sno1"

    def _sleep(self, seconds: float) -> None:
        self.seconds += seconds

    def set_site(self, **changes: Any) -> None:
        self.run.site = SeedReconfiguration.parse(json.dumps({**SITE, **changes}))

    def write(self, path: str, content: str | bytes, mode: int = 0o644) -> Path:
        target = self.root.path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content.encode() if isinstance(content, str) else content)
        target.chmod(mode)
        return target

    def read(self, path: str) -> str:
        return self.root.path(path).read_text()

    def mode(self, path: str) -> int:
        return self.root.path(path).stat().st_mode & 0o7777

    def run_step(self, name: str) -> Outcome:
        """Run a step of the itinerary as it is."""
        (step,) = [step for step in CONFIGURE_NODE.steps if step.name == name]
        self.root.path(OPENSHIFT).mkdir(parents=True, exist_ok=True)
        return step.run(self.run)

    def fail_step(self, name: str) -> str:
        """Run a step that fails; return its message."""
        outcome = self.run_step(name)
        assert isinstance(outcome, Failed), f"{name} has not failed"
        return outcome.message

    def break_program(self, name: str, script: str = "echo no luck; exit 1") -> None:
        """Let a program run the script (bash) instead."""
        (self.directory / "faults" / name).write_text(script)

    def mend_program(self, name: str) -> None:
        (self.directory / "faults" / name).unlink()

    @property
    def commands(self) -> list[str]:
        lines = (self.directory / "commands").read_text().split("\0\n")
        return [line.replace("\0", " ") for line in lines if line]


@pytest.fixture
def node(tmp_path: Path) -> FolderNode:
    return FolderNode(tmp_path)
