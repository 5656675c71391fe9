"""`lca operator` as a process of its own, against the real API server.

Real: the process with its threads, kopf, signals and files; the manifests of deploy/, and with them the rights of the
operator's service account; kills. Played: `rpm-ostree` and `systemctl`, by stand-ins on PATH that answer from files.
Each test has its own host folder and starts without an ImageBasedUpgrade.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from agent.kube import Client, Kind, errors
from sandbox.cluster.content.kinds import crd_documents
from sandbox.controlplane import ControlPlane
from sandbox.controlplane.kubeconfig import write_kubeconfig
from tools.operator_process import OperatorProcess, ScratchHost
from tools.recorded_runs.cluster import RecordedCluster
from tools.recorded_runs.scenario import load_yaml

IBU = Kind("lca.openshift.io", "v1", "ImageBasedUpgrade")
NAMESPACE = "openshift-lifecycle-agent"
ACCOUNT = "lifecycle-agent-controller-manager"
DEPLOY = Path(__file__).parents[3] / "deploy"

Kubectl = Callable[..., str]
RequestToken = Callable[[str], str]
StartOperator = Callable[..., OperatorProcess]
WaitForUpgrade = Callable[[Callable[[dict[str, Any]], bool]], dict[str, Any]]


@pytest.fixture(scope="session")
def deployed(client: Client, kubectl: Kubectl, applied_crds: str) -> list[dict[str, Any]]:
    """What `kubectl apply -k deploy/` makes, on a cluster that has OpenShift's kinds."""
    assert applied_crds
    crds = [crd for crd in crd_documents() if crd["spec"]["group"] != IBU.group]
    kubectl("apply", "-f", "-", stdin=make_list(crds))
    names = [crd["metadata"]["name"] for crd in crds]
    kubectl("wait", "--for=condition=Established", "--timeout=60s", "crd", *names)
    manifests = [
        m for m in yaml.safe_load_all(kubectl("kustomize", str(DEPLOY))) if m["kind"] != "CustomResourceDefinition"
    ]
    kubectl("create", "namespace", "openshift-monitoring")
    kubectl("apply", "-f", "-", stdin=make_list(manifests))
    return manifests


@pytest.fixture(scope="session")
def operator_kubeconfig(
    control_plane: ControlPlane, request_token: RequestToken, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The access of the operator's service account: what deploy/ grants, and nothing else."""
    path = tmp_path_factory.mktemp("operator") / "kubeconfig"
    ca_pem, token = control_plane.ca_file.read_bytes(), request_token(ACCOUNT)
    write_kubeconfig(path, server=control_plane.server, ca_pem=ca_pem, user=ACCOUNT, token=token, certificate=None)
    return path


@pytest.fixture(scope="session")
def request_token(client: Client, deployed: list[dict[str, Any]]) -> RequestToken:
    """Ask the API server for a token of a service account in the operator's namespace."""
    assert deployed

    def request(account: str) -> str:
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
        path = f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts/{account}/token"
        return str(client.request("POST", path, body=body)["status"]["token"])

    return request


@pytest.fixture(scope="session")
def recorded_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RecordedCluster]:
    """An API server without controllers, for sites of recorded runs: each makes its objects anew."""
    fixtures = load_yaml(Path(__file__).with_name("recorded") / "fixtures.yaml")["objects"]
    with RecordedCluster.start(tmp_path_factory.mktemp("recorded-cluster"), fixtures) as cluster:
        yield cluster


@pytest.fixture
def host(tmp_path: Path) -> ScratchHost:
    """A node booted into the stateroot `rhcos`."""
    return ScratchHost(tmp_path / "host")


@pytest.fixture
def no_upgrade(client: Client) -> Iterator[None]:
    """No custom resource, before and after the test."""
    _delete_upgrade(client)
    yield
    _delete_upgrade(client)


@pytest.fixture
def start_operator(no_upgrade: None, host: ScratchHost, operator_kubeconfig: Path) -> Iterator[StartOperator]:
    """Start the operator, with flags; all are killed after the test, before the resource is deleted."""
    running: list[OperatorProcess] = []

    def start(*flags: str, **environment: str) -> OperatorProcess:
        running.append(OperatorProcess(host, operator_kubeconfig, *flags, environment=environment))
        running[-1].start()
        return running[-1]

    yield start
    for process in running:
        process.kill()
        print(process.show_log())  # shown when the test failed


@pytest.fixture
def wait_for_upgrade(client: Client) -> WaitForUpgrade:
    """Wait, by a watch, until the custom resource is as asked for, and return it."""

    def wait(matches: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        with client.watch(IBU, name="upgrade", timeout_seconds=30) as watch:
            for event in watch:
                if event.type != "DELETED" and matches(event.object):
                    return event.object
        raise TimeoutError(f"the resource never became so; it is now: {client.find(IBU, 'upgrade')}")

    return wait


def make_list(items: list[dict[str, Any]]) -> dict[str, Any]:
    """Many objects as one, for kubectl."""
    return {"apiVersion": "v1", "kind": "List", "items": items}


def _delete_upgrade(client: Client) -> None:
    try:
        client.delete(IBU, "upgrade")
    except errors.NotFound:
        return
