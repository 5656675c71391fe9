"""Recorded runs of the stateroot program, with real podman, ostree and registry: what it leaves, what it says.

The seed is our own, so what is compared is what does not come from the seed: paths, modes, the files that the program
writes itself, the end.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.gitops.recorded import read_run
from tests.host.images import Storage
from tests.host.scratchnode import ScratchNode
from tests.host.seedimage import VERSION, build_seed
from tests.host.stateroot_run import CRYPTO, finish_run, start_run
from tools.recorded_runs.scenario import FileChange, Scenario
from tools.recorded_runs.snapshot import list_changes, take_snapshot

STATEROOT = f"/ostree/deploy/rhcos_{VERSION}"
BOOTED = "/ostree/deploy/rhcos"
# Of our seed only, podman's and ostree's own, and those whose mode a seed brings.
NOT_COMPARED = (
    *("/<deployment>/", "/var/lib/private", "/var/lib/containers", "/var/lib/cni", "/var/log", "/var/seed_data/"),
)
CRYPTO_FOLDER = "/kubeconfig-crypto/"
PRIVATE = "/var/lib/lca"  # 0755 in the recording; the specification of the resource says 0700


def run_setup(node: ScratchNode, image: str) -> tuple[int, str, list[FileChange]]:
    before = take_snapshot(node.sysroot)
    code, log = finish_run(start_run(node, image, VERSION))
    changes = list_changes(before, take_snapshot(node.sysroot), set())
    return code, log, [change for change in changes if is_compared(change.path)]


def is_compared(path: str) -> bool:
    if CRYPTO_FOLDER in path:
        return path.rpartition("/")[2] in CRYPTO  # the others are not asked for here
    return not any(part in path for part in NOT_COMPARED) and not path.endswith(("/var", "/etc"))


def list_recorded(run: Scenario) -> dict[str, FileChange]:
    """The recorded changes by the path that they have on our node."""
    changes = {}
    for change in run.files:
        path = change.path.replace("/ostree/deploy/rhcos_4.15.3", STATEROOT)
        changes[path if path.startswith("/ostree") else f"{BOOTED}{path}"] = change
    changes[f"{STATEROOT}{PRIVATE}"] = replace(changes[f"{STATEROOT}{PRIVATE}"], mode="0700")
    return {path: change for path, change in changes.items() if is_compared(path)}


def describe(change: FileChange) -> tuple[str, str | None, bool]:
    return change.change, change.mode, change.is_folder


@pytest.fixture
def setup_node(node: ScratchNode, registry: Any) -> ScratchNode:
    node.trust_registry(registry.address)
    return node


def test_stateroot_setup_leaves_what_was_recorded(setup_node: ScratchNode, publisher: Storage, tmp_path: Path) -> None:
    run = read_run("cli-stateroot-setup-001")
    code, log, changes = run_setup(setup_node, build_seed(tmp_path / "seed").push(publisher))
    assert code == run.exit_code, log
    recorded, ours = list_recorded(run), {change.path: change for change in changes}
    assert {path: describe(ours[path]) for path in ours} == {path: describe(recorded[path]) for path in recorded}
    settings = f"{STATEROOT}/var/lib/lca/autorollback_config.json"
    assert ours[settings].content == recorded[settings].content


def test_stateroot_setup_without_an_image_ends_as_recorded(setup_node: ScratchNode, registry: Any) -> None:
    run = read_run("cli-stateroot-setup-005")
    code, log, changes = run_setup(setup_node, f"{registry.address}/org/none:1")
    assert (code, changes) == (run.exit_code, run.files)
    assert "failed to pull seed image: failed to pull image: " in log
    assert "manifest unknown" in log
