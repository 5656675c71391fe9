"""The health checks as data: what they keep of an object is all that they look at."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from agent.ibu.health import table
from agent.ibu.health.table import Check, judge_check, reduce_object

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
LABELS = {f"node-role.kubernetes.io/{role}": "" for role in ("control-plane", "master", "worker")} | {"a": "b"}


def make(name: str, *, labels: dict[str, str] | None = None, **status: Any) -> dict[str, Any]:
    metadata = {"name": name, "labels": labels or {}, "creationTimestamp": "2026-01-01T11:59:00Z", "uid": "u"}
    return {"metadata": metadata, "spec": {"large": "x" * 1000}, "status": status}


def conditions(**statuses: str) -> list[dict[str, str]]:
    return [{"type": type_, "status": status, "message": "long"} for type_, status in statuses.items()]


OBJECTS = [
    (table.CLUSTER_OPERATORS, make("a", conditions=conditions(Available="True"))),
    (table.CLUSTER_OPERATORS, make("a", conditions=conditions(Available="True", Degraded="True"))),
    (table.MACHINE_CONFIG_POOLS, make("a", machineCount=1, readyMachineCount=1)),
    (table.MACHINE_CONFIG_POOLS, make("a", machineCount=1, readyMachineCount=0)),
    (table.SRIOV_STATES, make("a", syncStatus="Succeeded")),
    (table.SRIOV_STATES, make("a", syncStatus="InProgress")),
    (table.DATA_PROTECTIONS, make("a", conditions=conditions(Reconciled="True"))),
    (table.DATA_PROTECTIONS, make("a")),
    (table.STORAGE_LOCATIONS, make("a", phase="Available")),
    (table.STORAGE_LOCATIONS, make("a", phase="Unavailable")),
    (table.NODES, make("a", labels=LABELS, conditions=conditions(Ready="True"))),
    (table.NODES, make("a", conditions=conditions(Ready="True"))),
    (table.SERVICE_VERSIONS, make("a", phase="Succeeded")),
    (table.SERVICE_VERSIONS, make("a", phase="Failed")),
    (table.SIGNING_REQUESTS, make("a", conditions=conditions(Approved="True"))),
    (table.SIGNING_REQUESTS, make("a")),
]


@pytest.mark.parametrize(("check", "obj"), OBJECTS)
def test_reduced_object_is_judged_like_the_whole_one(check: Check, obj: dict[str, Any]) -> None:
    whole = judge_check(check, [obj], NOW, required=True)
    assert judge_check(check, [reduce_object(obj)], NOW, required=True) == whole
    assert len(str(reduce_object(obj))) < 500


@pytest.mark.parametrize(
    ("check", "text"),
    [
        (table.CLUSTER_OPERATORS, "one or more ClusterOperators not yet ready: none is there yet"),
        (table.MACHINE_CONFIG_POOLS, "one or more MachineConfigPools not yet ready: none is there yet"),
        (table.NODES, "node is not yet ready: none is registered yet"),
        (table.SERVICE_VERSIONS, None),
        (table.SIGNING_REQUESTS, None),
    ],
)
def test_nothing_at_all_counts_after_a_pivot_only(check: Check, text: str | None) -> None:
    assert judge_check(check, [], NOW, required=True) == text
    assert judge_check(check, [], NOW, required=False) is None
