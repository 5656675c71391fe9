"""The cluster as a whole: what it holds at first, how its operators behave, what survives a restart."""

from __future__ import annotations

import base64
import json
import ssl
from pathlib import Path

import pytest
from cryptography import x509

from agent.kube import Kind, Object
from tests.flow.cluster.conftest import (
    POD,
    STOP_SECONDS,
    RunningCluster,
    scratch_config,
    shell,
    start_cluster,
)

CLUSTER_OPERATOR = Kind("config.openshift.io", "v1", "ClusterOperator")
CLUSTER_VERSION = Kind("config.openshift.io", "v1", "ClusterVersion")
POOL = Kind("machineconfiguration.openshift.io", "v1", "MachineConfigPool")
MACHINE_CONFIG = Kind("machineconfiguration.openshift.io", "v1", "MachineConfig")
NODE = Kind("", "v1", "Node")
SECRET = Kind("", "v1", "Secret")
SERVICE_ACCOUNT = Kind("", "v1", "ServiceAccount")
CSV = Kind("operators.coreos.com", "v1alpha1", "ClusterServiceVersion")


def conditions(obj: Object) -> dict[str, str]:
    return {c["type"]: c["status"] for c in (obj.get("status") or {}).get("conditions") or []}


def is_healthy(operator: Object) -> bool:
    found = conditions(operator)
    return (found.get("Available"), found.get("Progressing"), found.get("Degraded")) == ("True", "False", "False")


def columns(table: str) -> list[str]:
    return table.splitlines()[0].split()


@pytest.fixture(scope="module")
def settled(cluster: RunningCluster) -> RunningCluster:
    """The cluster when everything has come up."""
    cluster.await_object(CLUSTER_VERSION, "version", None, lambda v: conditions(v).get("Progressing") == "False")
    cluster.await_object(NODE, cluster.config.node_name, None, lambda node: conditions(node).get("Ready") == "True")
    return cluster


@pytest.mark.parametrize(
    ("kinds", "titles"),
    [
        ("clusterversion", "NAME VERSION AVAILABLE PROGRESSING SINCE STATUS"),
        ("co", "NAME VERSION AVAILABLE PROGRESSING DEGRADED SINCE MESSAGE"),
        (
            "mcp",
            "NAME CONFIG UPDATED UPDATING DEGRADED MACHINECOUNT READYMACHINECOUNT UPDATEDMACHINECOUNT "
            "DEGRADEDMACHINECOUNT AGE",
        ),
        ("nodes", "NAME STATUS ROLES AGE VERSION"),
    ],
)
def test_kubectl_shows_the_columns_users_know(settled: RunningCluster, kinds: str, titles: str) -> None:
    assert columns(settled.kubectl("get", kinds)) == titles.split()


def test_version_is_that_of_the_booted_release(settled: RunningCluster) -> None:
    (row,) = settled.kubectl("get", "clusterversion", "--no-headers").splitlines()
    assert row.split()[:4] == ["version", settled.config.version, "True", "False"]
    assert row.endswith(f"Cluster version is {settled.config.version}")


def test_node_is_ready_with_all_roles_and_names_its_machine_config(settled: RunningCluster) -> None:
    node = settled.client.get(NODE, settled.config.node_name)
    roles = {f"node-role.kubernetes.io/{role}" for role in ("control-plane", "master", "worker")}
    assert roles <= set(node["metadata"]["labels"])
    name = node["metadata"]["annotations"]["machineconfiguration.openshift.io/currentConfig"]
    assert settled.client.get(MACHINE_CONFIG, name)["spec"]["fips"] is False
    assert not node["spec"].get("taints")


def test_operators_came_up_one_after_the_other(settled: RunningCluster) -> None:
    operators = settled.client.list(CLUSTER_OPERATOR)
    assert len(operators) >= 12
    assert all(map(is_healthy, operators))
    assert all(csv["status"]["phase"] == "Succeeded" for csv in settled.client.list(CSV))


def test_signers_of_a_first_boot_are_real_certificates(settled: RunningCluster) -> None:
    secret = settled.client.get(SECRET, "router-ca", "openshift-ingress-operator")
    certificate = x509.load_pem_x509_certificate(base64.b64decode(secret["data"]["tls.crt"]))
    assert certificate.subject.rfc4514_string().startswith("CN=ingress-operator@")
    bundle = settled.client.get(Kind("", "v1", "ConfigMap"), "admin-kubeconfig-client-ca", "openshift-config")
    ssl.create_default_context(cadata=bundle["data"]["ca-bundle.crt"])


def test_fault_unhealthy_operator_shows_and_goes_with_the_fault(settled: RunningCluster) -> None:
    settled.faults.set("unhealthy-operator", "dns")
    broken = settled.await_object(CLUSTER_OPERATOR, "dns", None, lambda co: conditions(co)["Degraded"] == "True")
    assert conditions(broken)["Available"] == "False"
    failing = settled.await_object(CLUSTER_VERSION, "version", None, lambda v: conditions(v)["Failing"] == "True")
    assert "dns" in json.dumps(failing["status"]["conditions"])
    settled.faults.clear()
    settled.await_object(CLUSTER_OPERATOR, "dns", None, is_healthy)


def test_changed_pull_secret_reaches_the_node_and_the_pool_counts_again(settled: RunningCluster) -> None:
    wanted = '{"auths": {"changed.example.com": {"auth": "eDp5"}}}'
    before = settled.client.get(POOL, "master")["status"]["configuration"]["name"]
    patch = {"stringData": {".dockerconfigjson": wanted}}
    settled.client.patch_merge(SECRET, "pull-secret", patch, "openshift-config")

    def rolled_out(pool: Object) -> bool:
        status = pool["status"]
        return status["configuration"]["name"] != before and status["readyMachineCount"] == status["machineCount"] == 1

    settled.await_object(POOL, "master", None, rolled_out)
    file = settled.config.node_root / "var/lib/kubelet/config.json"
    assert file.read_text() == wanted
    assert file.stat().st_mode & 0o777 == 0o600


def test_service_with_annotation_gets_its_certificate(settled: RunningCluster, namespace: str) -> None:
    annotations = {"service.beta.openshift.io/serving-cert-secret-name": "serving"}
    metadata = {"name": "a" * 63, "namespace": namespace, "annotations": annotations}
    spec = {"ports": [{"port": 443}], "selector": {"app": "x"}}
    settled.client.create({"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec})
    secret = settled.await_object(SECRET, "serving", namespace, lambda secret: True)
    assert set(secret["data"]) == {"tls.crt", "tls.key"}


def test_second_start_leaves_changes_alone_and_takes_lost_pods_up_again(tmp_path: Path) -> None:
    config = scratch_config(tmp_path)
    first = start_cluster(config)
    first.kubectl("delete", "catalogsource", "-n", "openshift-marketplace", "redhat-operators")
    first.kubectl("label", "clusterversion", "version", "mine=yes")
    first.await_object(SERVICE_ACCOUNT, "default", "default", lambda account: True)
    first.run_pod("default", {"restartPolicy": "Always", "containers": [shell("exec sleep infinity")]}, "kept")
    first.run_pod("default", {"containers": [shell("exec sleep infinity")]}, "once")
    for name in ("kept", "once"):
        first.await_phase("default", "Running", name)
    first.client.close()
    first.process.stop(grace_seconds=STOP_SECONDS)

    second = start_cluster(config)
    try:
        assert second.client.get(CLUSTER_VERSION, "version")["metadata"]["labels"] == {"mine": "yes"}
        assert "redhat-operators" not in second.kubectl("get", "catalogsource", "-A")
        lost = second.await_phase("default", "Failed", "once")
        assert lost["status"]["containerStatuses"][0]["state"]["terminated"]["reason"] == "ContainerStatusUnknown"
        second.await_object(
            POD,
            "kept",
            "default",
            lambda pod: (
                pod["status"]["containerStatuses"][0]["restartCount"] == 1
                and pod["status"]["containerStatuses"][0]["ready"]
            ),
        )
        assert len(second.client.list(NODE)) == 1
    finally:
        second.client.close()
        second.process.stop(grace_seconds=STOP_SECONDS)
