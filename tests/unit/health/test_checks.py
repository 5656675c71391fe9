"""Each row of the health table of prep.md 3: the healthy object passes, each way of being unhealthy has its text."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from agent.ibu.health import checks


def make(name: str, *, labels: dict[str, str] | None = None, status: dict[str, Any] | None = None, **conditions: str):  # type: ignore[no-untyped-def]
    status = dict(status or {})
    status["conditions"] = [{"type": t, "status": s} for t, s in conditions.items()]
    return {"metadata": {"name": name, "labels": labels or {}}, "status": status}


ROLES = {f"node-role.kubernetes.io/{role}": "" for role in ("control-plane", "master", "worker")}


@pytest.mark.parametrize(
    ("check", "objects"),
    [
        (checks.check_cluster_operators, [make("a", Available="True", Progressing="False", Degraded="False")]),
        (checks.check_cluster_operators, [make("a", Available="True")]),
        (checks.check_cluster_operators, []),
        (checks.check_machine_config_pools, [make("m", status={"machineCount": 1, "readyMachineCount": 1})]),
        (checks.check_machine_config_pools, [make("w", status={"machineCount": 0})]),
        (checks.check_sriov_states, [make("n", status={"syncStatus": "Succeeded"})]),
        (checks.check_data_protection, []),
        (checks.check_data_protection, [make("a", Reconciled="False"), make("b", Reconciled="True")]),
        (checks.check_storage_locations, [make("b", status={"phase": "Available"})]),
        (checks.check_nodes, [make("n", labels=ROLES, Ready="True", NetworkUnavailable="False")]),
        (checks.check_service_versions, [make("x", status={"phase": "Succeeded"}), make("lifecycle-agent.v4.16.0")]),
    ],
)
def test_check_healthy_objects_pass(check: Callable[..., str | None], objects: list[dict[str, Any]]) -> None:
    assert check(objects) is None


@pytest.mark.parametrize(
    ("check", "objects", "text"),
    [
        (
            checks.check_cluster_operators,
            [make("a", Available="False"), make("ok", Available="True"), make("b", Available="True", Degraded="True")],
            "one or more ClusterOperators not yet ready: a, b",
        ),
        (
            checks.check_cluster_operators,
            [make("p", Available="True", Progressing="True")],
            "one or more ClusterOperators not yet ready: p",
        ),
        (
            checks.check_machine_config_pools,
            [make("master", status={"machineCount": 1, "readyMachineCount": 0})],
            "one or more MachineConfigPools not yet ready: master",
        ),
        (checks.check_sriov_states, [], "no SriovNetworkNodeStates present"),
        (
            checks.check_sriov_states,
            [make("n", status={"syncStatus": "InProgress"})],
            "sriovNetworkNodeState not ready",
        ),
        (checks.check_data_protection, [make("a")], "dataProtectionApplication not reconciled"),
        (checks.check_storage_locations, [], "backupsStorageLocations not yet created"),
        (checks.check_storage_locations, [make("b"), make("c")], "backupStorageLocation b not available"),
        (checks.check_nodes, [make("n", labels=ROLES)], "node is not yet ready: n"),
        (
            checks.check_nodes,
            [make("n", labels=ROLES, Ready="True", NetworkUnavailable="True")],
            "node network unavailable: n",
        ),
        (
            checks.check_nodes,
            [make("n", labels={"node-role.kubernetes.io/control-plane": ""}, Ready="True")],
            "node missing node-role.kubernetes.io/master label: n",
        ),
        (
            checks.check_service_versions,
            [make("x", status={"phase": "Failed"}), make("y")],
            "one or more ClusterServiceVersions not yet ready: x, y",
        ),
        (
            checks.check_machine_config_pools,
            [make("master", status={"machineCount": 1, "readyMachineCount": 1}, Degraded="True")],
            "one or more MachineConfigPools not yet ready: master",
        ),
        (
            checks.check_service_versions,
            [make("x", status={"phase": "Pending"}), make("y"), make("x", status={"phase": "Pending"})],
            "one or more ClusterServiceVersions not yet ready: x, y",
        ),
    ],
)
def test_check_unhealthy_objects_give_text(
    check: Callable[..., str | None], objects: list[dict[str, Any]], text: str
) -> None:
    assert check(objects) == text


NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
PENDING = "certificateSigningRequest (csr) c not yet approved"


@pytest.mark.parametrize(
    ("age", "conditions", "text"),
    [
        pytest.param(0, {}, PENDING, id="pending"),
        pytest.param(60, {}, PENDING, id="pending-for-an-hour"),
        pytest.param(61, {}, None, id="forgotten"),
        pytest.param(0, {"Approved": "True"}, None, id="approved"),
        pytest.param(0, {"Denied": "True"}, None, id="denied"),
        pytest.param(0, {"Failed": "True"}, None, id="failed"),
        pytest.param(0, {"Approved": "False"}, PENDING, id="not-approved"),
    ],
)
def test_signing_request(age: int, conditions: dict[str, str], text: str | None) -> None:
    request = make("c", **conditions)
    request["metadata"]["creationTimestamp"] = f"{NOW - timedelta(minutes=age):%Y-%m-%dT%H:%M:%SZ}"
    assert checks.check_signing_requests([request], NOW) == text


def test_format_failures_puts_each_further_one_on_its_own_line() -> None:
    assert checks.format_failures(["a", "b"]) == "one or more health checks failed: a\n  - b"
