from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

from agent.kube import Client, Kind
from sandbox.node.identity import Identity
from sandbox.node.sandbox import Sandbox
from sandbox.node.sysroot import choose_deployment

UPGRADE = Kind("lca.openshift.io", "v1", "ImageBasedUpgrade")
NODE = Kind("", "v1", "Node")
VERSION = Kind("config.openshift.io", "v1", "ClusterVersion")


def test_up_returns_when_the_upgrade_is_idle(node: Sandbox) -> None:
    with contextlib.closing(Client.connect(node.layout.kubeconfig)) as client:
        upgrade = client.get(UPGRADE, "upgrade")
        idle = [each["status"] for each in upgrade["status"]["conditions"] if each["type"] == "Idle"]
        assert idle == ["True"]
        assert client.get(VERSION, "version")["status"]["desired"]["version"] == "4.15.0"
        assert [each["metadata"]["name"] for each in client.list(NODE)] == ["sno1"]


def test_up_again_changes_nothing(node: Sandbox) -> None:
    before = node.state()
    node.up(Identity.make("4.99.0"), owner_pid=os.getpid())
    assert node.state() == before


def test_cluster_data_lies_in_the_booted_stateroot(node: Sandbox) -> None:
    assert (choose_deployment(node.layout.sysroot).var / "lib/etcd/member/wal").is_dir()


def test_commands_of_the_operator_are_recorded(node: Sandbox) -> None:
    commands = [" ".join(each["argv"]) for each in node.status()["commands"]]
    assert "rpm-ostree status --json" in commands


def test_kubectl_works_on_the_node(node: Sandbox) -> None:
    assert node.run("oc", "get", "nodes", "-o", "name").stdout == "node/sno1\n"


def test_node_with_its_cluster_is_small(node: Sandbox) -> None:
    assert proportional_memory(node.status()["supervisor_pid"]) < 700 * 1024**2


def proportional_memory(root: int) -> int:
    """Bytes of a process and all its descendants, shared pages counted in parts."""
    process = Path("/proc", str(root))
    lines = (process / "smaps_rollup").read_text().splitlines()
    own = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
    children = [pid for task in process.glob("task/*/children") for pid in task.read_text().split()]
    return own + sum(proportional_memory(int(child)) for child in children)


def test_reboot_brings_the_cluster_back(node: Sandbox) -> None:
    began = time.monotonic()
    node.reboot()
    node.wait_ready()
    with contextlib.closing(Client.connect(node.layout.kubeconfig)) as client:
        assert client.get(UPGRADE, "upgrade")["spec"]["stage"] == "Idle"
    print(f"reboot to a ready cluster: {time.monotonic() - began:.1f} s")
