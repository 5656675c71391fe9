"""Recorded runs of the original operator that need no host work, replayed against ours on the real API server.

Compared is what users see: the conditions in their order and the valid next stages, at the end of each run.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from agent.kube import Client, Kind, errors
from tools.operator_process import OperatorProcess, ScratchHost, read_conditions

IBU = Kind("lca.openshift.io", "v1", "ImageBasedUpgrade")
SEED = {"version": "4.15.3", "image": "quay.io/org/seed:4.15.3"}
PREPARED = (
    "Idle=False/InProgress In progress",
    "PrepInProgress=False/Completed Prep completed",
    "PrepCompleted=True/Completed Prep stage completed successfully",
)
UPGRADE_FAILED = (
    *PREPARED,
    "UpgradeCompleted=False/Failed Upgrade failed",
    "UpgradeInProgress=False/Failed Uncontrolled rollback",
)
ROLLED_BACK = (
    *PREPARED,
    "UpgradeCompleted=False/Failed Rollback requested",
    "UpgradeInProgress=False/Failed Rollback requested",
    "RollbackInProgress=False/Completed Rollback completed",
    "RollbackCompleted=True/Completed Rollback completed",
)
ABORT_FAILED = (
    *PREPARED[1:],
    "Idle=False/AbortFailed x Perform cleanup manually then add 'lca.openshift.io/manual-cleanup-done' annotation to "
    "ibu CR to transition back to Idle",
)

StartOperator = Callable[..., OperatorProcess]
WaitForUpgrade = Callable[[Callable[[dict[str, Any]], bool]], dict[str, Any]]


@dataclass(frozen=True)
class Run:
    """A run: the state it begins with, the stage that the user then asks for, and the state it ends with."""

    name: str
    stage: str
    before: tuple[str, ...]
    next_before: tuple[str, ...]
    asked: str
    after: tuple[str, ...]
    next_after: tuple[str, ...]


RUNS = (
    Run("trans-006", "Upgrade", UPGRADE_FAILED, ("Idle",), "Prep", UPGRADE_FAILED, ("Idle",)),
    Run("trans-010", "Rollback", ROLLED_BACK, ("Idle",), "Upgrade", ROLLED_BACK, ("Idle",)),
    Run("restart-005", "Idle", ABORT_FAILED, (), "Idle", ABORT_FAILED, ()),
)


def parse_condition(text: str) -> dict[str, Any]:
    head, _, message = text.partition(" ")
    type_, _, rest = head.partition("=")
    status, _, reason = rest.partition("/")
    fixed = {"lastTransitionTime": "2026-01-01T00:00:00Z", "observedGeneration": 1}
    return {"type": type_, "status": status, "reason": reason, "message": message, **fixed}


@pytest.mark.parametrize("run", RUNS, ids=lambda run: run.name)
def test_recorded_run_ends_in_the_same_state(
    run: Run,
    start_operator: StartOperator,
    wait_for_upgrade: WaitForUpgrade,
    client: Client,
    host: ScratchHost,
) -> None:
    host.boot("rhcos", "rhcos_4.15.3")
    spec = {"stage": run.stage, "seedImageRef": SEED}
    body = {"apiVersion": IBU.api_version, "kind": IBU.kind, "metadata": {"name": "upgrade"}, "spec": spec}
    conditions = [parse_condition(text) for text in run.before]
    status = {"conditions": conditions, "validNextStages": list(run.next_before), "observedGeneration": 1}
    upgrade = client.update_status({**client.create(body), "status": status})
    start_operator()
    with contextlib.suppress(errors.Invalid):  # a server that knows the CRD's rules refuses some of it itself
        upgrade = client.patch_merge(IBU, "upgrade", {"spec": {"stage": run.asked, "autoRollbackOnFailure": {}}})
    generation = upgrade["metadata"]["generation"]
    seen = wait_for_upgrade(lambda obj: obj["status"]["observedGeneration"] == generation)
    assert tuple(read_conditions(seen)) == run.after
    assert tuple(seen["status"].get("validNextStages", ())) == run.next_after
