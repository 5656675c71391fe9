"""Start of the operator: what it creates, restores, refuses, and how it ends (ibu-api.md 8 and 10.2)."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agent.kube import Client, Kind, errors
from tools.operator_process import OperatorProcess, ScratchHost, read_conditions

IBU = Kind("lca.openshift.io", "v1", "ImageBasedUpgrade")
NETWORK_POLICY = Kind("networking.k8s.io", "v1", "NetworkPolicy")
APISERVER = Kind("config.openshift.io", "v1", "APIServer")
NAMESPACE = "openshift-lifecycle-agent"
IDLE = ["Idle=True/Idle Idle"]
SINCE = "2026-01-01T00:00:00Z"

StartOperator = Callable[..., OperatorProcess]
WaitForUpgrade = Callable[[Callable[[dict[str, Any]], bool]], dict[str, Any]]


def make_condition(type_: str, status: str, reason: str, message: str) -> dict[str, Any]:
    fixed = {"lastTransitionTime": SINCE, "observedGeneration": 5}
    return {"type": type_, "status": status, "reason": reason, "message": message, **fixed}


SAVED = {
    "apiVersion": "lca.openshift.io/v1",
    "kind": "ImageBasedUpgrade",
    "metadata": {
        "name": "upgrade",
        "generation": 5,
        "uid": "0-0",
        "resourceVersion": "99",
        "creationTimestamp": SINCE,
        "annotations": {"mine": "kept"},
        "labels": {"app": "x"},
        "managedFields": [],
    },
    "spec": {"stage": "Upgrade", "seedImageRef": {"version": "4.16.1", "image": "quay.io/org/seed:1"}},
    "status": {
        "conditions": [
            make_condition("Idle", "False", "InProgress", "In progress"),
            make_condition("UpgradeCompleted", "False", "Failed", "Upgrade failed"),
            make_condition("UpgradeInProgress", "False", "Failed", "Uncontrolled rollback"),
        ],
        "validNextStages": ["Idle"],
        "observedGeneration": 5,
        "history": [{"stage": "Upgrade", "startTime": SINCE, "completionTime": None}],
    },
}


def is_idle(obj: dict[str, Any]) -> bool:
    return read_conditions(obj) == IDLE


def has_status(obj: dict[str, Any]) -> bool:
    return bool(obj.get("status"))


def test_start_without_anything_creates_an_idle_upgrade(
    start_operator: StartOperator, wait_for_upgrade: WaitForUpgrade, host: ScratchHost
) -> None:
    start_operator()
    upgrade = wait_for_upgrade(is_idle)
    assert upgrade["spec"] == {"stage": "Idle", "seedImageRef": {}}
    assert upgrade["status"]["validNextStages"] == ["Prep"]
    assert upgrade["status"]["observedGeneration"] == 1
    assert not {"annotations", "finalizers", "labels"} & upgrade["metadata"].keys()
    assert not list(host.state.glob("*.json*"))


def test_start_with_a_saved_upgrade_restores_it_with_its_status(
    start_operator: StartOperator, wait_for_upgrade: WaitForUpgrade, client: Client, host: ScratchHost
) -> None:
    path = host.state / "ibu.json"
    path.write_text(json.dumps(SAVED))
    client.create({"apiVersion": IBU.api_version, "kind": IBU.kind, "metadata": {"name": "upgrade"}, "spec": {}})
    start_operator()
    upgrade = wait_for_upgrade(lambda obj: "Uncontrolled rollback" in str(read_conditions(obj)))
    assert upgrade["spec"] == SAVED["spec"]
    assert read_conditions(upgrade) == read_conditions(SAVED)
    assert upgrade["status"]["history"] == [{"stage": "Upgrade", "startTime": SINCE}]
    assert (upgrade["metadata"]["annotations"], upgrade["metadata"]["labels"]) == ({"mine": "kept"}, {"app": "x"})
    assert upgrade["metadata"]["uid"] != "0-0"


def test_start_with_an_upgrade_of_another_release_replaces_it(
    start_operator: StartOperator, wait_for_upgrade: WaitForUpgrade, client: Client, host: ScratchHost
) -> None:
    old = client.create(
        {"apiVersion": IBU.api_version, "kind": IBU.kind, "metadata": {"name": "upgrade"}, "spec": {"stage": "Idle"}}
    )
    idle = {"conditions": [make_condition("Idle", "True", "Idle", "Idle")], "validNextStages": ["Prep"]}
    client.update_status({**old, "status": idle})
    (host.state / "ibu.json").write_text(json.dumps(SAVED))
    operator = start_operator()
    upgrade = wait_for_upgrade(lambda obj: "Uncontrolled rollback" in str(read_conditions(obj)))
    assert upgrade["metadata"]["uid"] != old["metadata"]["uid"]
    assert upgrade["metadata"]["generation"] == 1
    operator.wait_for_message("resource restored from its file")
    assert not (host.state / "ibu.json").exists()


def test_start_with_a_file_for_after_a_reboot_that_never_came_leaves_it_alone(
    start_operator: StartOperator, wait_for_upgrade: WaitForUpgrade, host: ScratchHost
) -> None:
    boot_id = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    (host.state / "ibu.json").write_text(json.dumps({**SAVED, "savedInBoot": boot_id}))
    start_operator()
    wait_for_upgrade(is_idle)
    assert (host.state / "ibu.json").exists()


@pytest.mark.parametrize("content", ["", '{"spec": {"stage"', json.dumps({**SAVED, "spec": {"stage": "Nonsense"}})])
def test_start_with_a_damaged_file_keeps_it_aside_and_tells_the_user(
    start_operator: StartOperator, wait_for_upgrade: WaitForUpgrade, host: ScratchHost, content: str
) -> None:
    (host.state / "ibu.json").write_text(content)
    start_operator()
    upgrade = wait_for_upgrade(has_status)
    (condition,) = upgrade["status"]["conditions"]
    assert (condition["type"], condition["status"], condition["reason"]) == ("Idle", "True", "Idle")
    assert "moved to /var/lib/lca/ibu.json.bad" in condition["message"]
    assert (host.state / "ibu.json.bad").read_text() == content
    assert not (host.state / "ibu.json").exists()


def test_start_before_the_crd_is_installed_waits_for_it(
    start_operator: StartOperator, wait_for_upgrade: WaitForUpgrade, kubectl: Callable[..., str], crd_folder: Path
) -> None:
    kubectl("delete", "crd", "imagebasedupgrades.lca.openshift.io")
    operator = start_operator()
    operator.wait_for(lambda record: record["message"].startswith("the CRD is not installed"))
    kubectl("apply", "-f", str(crd_folder))
    kubectl("wait", "--for=condition=Established", "--timeout=30s", "-f", str(crd_folder))
    wait_for_upgrade(is_idle)


def test_start_opens_its_ports_and_corrects_an_old_policy(start_operator: StartOperator, client: Client) -> None:
    for _ in range(2):
        operator = start_operator()
        port = operator.port_of("/metrics")
        operator.wait_for_message("network policies in force")
        policy = client.get(NETWORK_POLICY, "controller-manager-metrics", NAMESPACE)
        assert policy["spec"]["ingress"] == [{"ports": [{"protocol": "TCP", "port": port}]}]
        operator.kill()
    for job in ("lca-prep-stateroot-setup", "lca-prep-precache"):
        spec = client.get(NETWORK_POLICY, job, NAMESPACE)["spec"]
        assert spec == {"podSelector": {"matchLabels": {"job-name": job}}, "policyTypes": ["Egress"], "egress": [{}]}


def test_start_without_a_device_of_the_container_storage_ends_with_1(
    start_operator: StartOperator, host: ScratchHost
) -> None:
    host.set_mount_unit("[Mount]\nWhere=/var/lib/containers\n")
    operator = start_operator()
    assert operator.wait() == 1
    assert "container storage mountpoint target" in operator.log[-1]["message"]


def test_start_with_bad_values_names_all_of_them_and_ends_with_2(start_operator: StartOperator) -> None:
    flags = ("--log-level", "--leader-elect", "--zap-devel", "--zap-stacktrace-level", "--zap-time-encoding")
    operator = start_operator("--kubeconfig=/x", *(f"{flag}=loud" for flag in flags), MY_POD_NAMESPACE="Not Valid")
    assert operator.wait() == 2
    assert {"MY_POD_NAMESPACE", *flags} <= {record["message"].partition(": ")[0] for record in operator.log}


def test_start_with_all_flags_of_the_reference_works(
    start_operator: StartOperator, wait_for_upgrade: WaitForUpgrade
) -> None:
    zap = ("devel=false", "encoder=json", "log-level=2", "stacktrace-level=panic", "time-encoding=epoch")
    operator = start_operator("--leader-elect=false", *(f"--zap-{flag}" for flag in zap))
    wait_for_upgrade(is_idle)
    record = operator.wait_for(lambda record: record.get("level") == "debug")
    assert isinstance(record["time"], float)


def test_start_with_a_port_in_use_ends_with_1_and_names_it(start_operator: StartOperator) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        operator = start_operator(f"--health-probe-bind-address=127.0.0.1:{port}")
        assert operator.wait() == 1
    assert f"can not listen on 127.0.0.1:{port}" in operator.log[-1]["message"]


def test_stop_by_sigterm_ends_with_0_at_once(start_operator: StartOperator, wait_for_upgrade: WaitForUpgrade) -> None:
    operator = start_operator()
    wait_for_upgrade(is_idle)
    assert operator.terminate(timeout_seconds=10) == 0


def test_stop_when_the_tls_profile_changes_ends_with_0(
    start_operator: StartOperator, wait_for_upgrade: WaitForUpgrade, client: Client
) -> None:
    profile = {"apiVersion": APISERVER.api_version, "kind": APISERVER.kind, "metadata": {"name": "cluster"}, "spec": {}}
    client.create(profile)
    try:
        operator = start_operator()
        wait_for_upgrade(is_idle)
        client.patch_merge(APISERVER, "cluster", {"spec": {"tlsSecurityProfile": {"type": "Modern"}}})
        assert operator.wait() == 0
    finally:
        client.delete(APISERVER, "cluster")


def test_start_with_forbidden_access_ends_with_1_and_says_so(
    start_operator: StartOperator, client: Client, control_plane: Any, tmp_path: Path
) -> None:
    control_plane.write_kubeconfig(tmp_path / "nobody", "nobody", ("system:authenticated",))
    operator = start_operator(KUBECONFIG=str(tmp_path / "nobody"))
    assert operator.wait() == 1
    assert "forbidden" in operator.log[-1]["message"]
    with pytest.raises(errors.NotFound):
        client.get(IBU, "upgrade")
