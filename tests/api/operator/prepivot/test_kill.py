"""The operator dies at every step, before and after its work, and at every durable write; it ends the same each time.

The points come from the itinerary, so a new step is covered without being listed here. In this process a death is an
exception that nothing catches, followed by a new controller; a few points, and all of them in `make test-faults`, are
real deaths by SIGKILL of a process of its own.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from agent.ibu.prepivot.itinerary import PRE_PIVOT
from agent.kube import Object
from agent.workflow.step import Itinerary
from hostops import files
from tests.api.operator.prepivot.cluster import Cluster
from tests.api.operator.prepivot.mortal import watch_steps
from tests.api.operator.prepivot.test_export import make_config_map, make_manifest
from tests.api.operator.prepivot.upgrade import NEW, OLD, Upgrade, snapshot
from tools.operator_process import read_conditions

POINTS = [f"{step.name}/{moment}" for step in PRE_PIVOT.steps for moment in ("before", "after")]
QUICK = ("export_cluster_configuration/after", "save_for_old_release/after", "make_default/after", "reboot/after")
GIVEN_BY_SERVER = ("managedFields", "resourceVersion", "uid", "creationTimestamp", "generation")


class Killed(BaseException):
    """Not an Exception: nothing in the agent may catch it."""


@pytest.fixture(autouse=True)
def _content(cluster: Cluster) -> None:
    """Something to export in every part that can be had without Velero."""
    mirrors = {"imageDigestMirrors": [{"source": "quay.io/x", "mirrors": ["mirror:5000/x"]}]}
    sets = {"apiVersion": "config.openshift.io/v1", "kind": "ImageDigestMirrorSet", "metadata": {"name": "one"}}
    cluster.put({**sets, "spec": mirrors})
    texts = {f"{wave}.yaml": str(make_manifest(f"m{wave}", wave)) for wave in ("1", "2")}
    cluster.put(make_config_map("extra", **texts))


def begin(upgrade: Upgrade) -> None:
    upgrade.begin(extraManifests=[{"name": "extra", "namespace": "default"}])


def assert_complete(upgrade: Upgrade) -> None:
    """Everything is handed over, exactly once, and the node is being rebooted."""
    live = upgrade.read()
    assert read_conditions(live)[-1] == "UpgradeInProgress=True/InProgress In progress"
    assert [phase.keys() for phase in live["status"]["history"][-1]["phases"]] == [
        {"phase", "startTime", "completionTime"}
    ]
    assert strip(upgrade.load_saved(NEW)) == strip(live)
    assert read_conditions(upgrade.load_saved(OLD))[-1] == "UpgradeInProgress=False/Failed Uncontrolled rollback"
    assert upgrade.default_stateroot() == NEW
    assert upgrade.is_reboot_requested()
    assert upgrade.read_old_release() == upgrade.old_release
    exported = {name for name in snapshot(upgrade.stateroot / "var/opt") if "/" in name}
    assert exported == EXPORTED


def strip(obj: Object) -> Object:
    metadata = {key: value for key, value in obj["metadata"].items() if key not in GIVEN_BY_SERVER}
    return {"metadata": metadata, "spec": obj["spec"], "status": obj["status"]}


EXPORTED = {
    "extra-manifests/group1",
    "extra-manifests/group1/1_ConfigMap_m1_default.yaml",
    "extra-manifests/group2",
    "extra-manifests/group2/1_ConfigMap_m2_default.yaml",
    "openshift/cluster-configuration",
    "openshift/cluster-configuration/manifest.json",
    "openshift/cluster-configuration/manifests",
    "openshift/cluster-configuration/manifests/image-digest-mirror-set.json",
    "openshift/kubeconfig-crypto",
    "openshift/lvm-configuration",
    "openshift/network-configuration",
    "openshift/network-configuration/system-connections",
    "openshift/network-configuration/system-connections/br-ex.nmconnection",
}


@pytest.mark.parametrize("point", POINTS)
def test_operator_that_dies_at_a_step_ends_the_same(
    upgrade: Upgrade, point: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    deaths: list[str] = []

    def die(reached: str) -> None:
        if reached == point and not deaths:
            deaths.append(reached)
            raise Killed

    monkeypatch.setattr(Itinerary, "select_steps", watch_steps(die))
    begin(upgrade)
    with pytest.raises(Killed):
        upgrade.run_pass()
    upgrade.start()
    upgrade.run_pass()
    assert_complete(upgrade)


@pytest.mark.parametrize("stride", [5, pytest.param(1, marks=pytest.mark.slow)])
def test_operator_that_dies_at_a_write_ends_the_same(
    upgrade: Upgrade, stride: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dies when a write has just become durable, at one write after the other until a pass gets through."""
    reached, fatal = 0, 1
    sync_directory = files.sync_directory

    def sync(path: Path) -> None:
        nonlocal reached
        sync_directory(path)
        reached += 1
        if reached == fatal:
            raise Killed

    monkeypatch.setattr(files, "sync_directory", sync)
    begin(upgrade)
    deaths = 0
    while not upgrade.is_reboot_requested():
        reached = 0
        try:
            upgrade.start()
            upgrade.run_pass()
        except Killed:
            deaths, fatal = deaths + 1, fatal + stride
    assert deaths > 20 // stride
    upgrade.start()
    upgrade.run_pass()
    assert_complete(upgrade)


@pytest.fixture
def run_mortal(upgrade: Upgrade, operator_kubeconfig: Path) -> Any:
    """Run the controller in a process of its own until it ends or dies; return its exit code."""

    def run(point: str = "") -> int:
        program = (sys.executable, "-m", "tests.api.operator.prepivot.mortal")
        words = (*program, str(operator_kubeconfig), str(upgrade.node.directory), *([point] if point else []))
        return subprocess.run(words, cwd=Path(__file__).parents[4], env=os.environ).returncode

    return run


MARKED_POINTS = [pytest.param(point, marks=() if point in QUICK else pytest.mark.slow) for point in POINTS]


@pytest.mark.parametrize("point", MARKED_POINTS)
def test_process_that_is_killed_at_a_step_ends_the_same(upgrade: Upgrade, run_mortal: Any, point: str) -> None:
    begin(upgrade)
    assert run_mortal(point) == -signal.SIGKILL
    assert run_mortal() == 0
    assert_complete(upgrade)
