"""The steps after the pivot that use the API, on an API server of their own with OpenShift's kinds.

The clock is the test's.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agent.kube import Client, Kind, Object
from agent.node.postpivot.itinerary import CONFIGURE_NODE
from agent.node.postpivot.run import PostPivot
from agent.node.waiting import Clock
from agent.workflow.outcome import Done, Failed
from hostops.hostroot import HostRoot
from hostops.runner import HostRunner
from sandbox.cluster.content.kinds import crd_documents
from sandbox.controlplane import ControlPlane
from seeds.format import SeedClusterInfo
from seeds.reconfiguration import SeedReconfiguration

CRD = Kind("apiextensions.k8s.io", "v1", "CustomResourceDefinition")
ADP, VERSION_OPERATOR = "openshift-adp", "openshift-cluster-version"


@pytest.fixture(scope="session")
def control_plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    with ControlPlane(tmp_path_factory.mktemp("control-plane-postpivot")) as plane:
        yield plane


@pytest.fixture(scope="session")
def kubeconfig(control_plane: ControlPlane) -> Path:
    return control_plane.admin_kubeconfig


@pytest.fixture(scope="session")
def client(kubeconfig: Path) -> Iterator[Client]:
    with Client.connect(kubeconfig) as client:
        for crd in crd_documents():
            if crd["spec"]["group"] != "lca.openshift.io":
                install_kind(client, crd)
        for name in (ADP, VERSION_OPERATOR):
            client.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        yield client


def install_kind(client: Client, crd: Object) -> None:
    """Create a CRD; return when its kind is served."""
    client.create(crd)
    with client.watch(CRD, name=crd["metadata"]["name"], timeout_seconds=60) as watch:
        for event in watch:
            conditions = (event.object.get("status") or {}).get("conditions") or ()
            if any(each["type"] == "Established" and each["status"] == "True" for each in conditions):
                return
    raise AssertionError(f"{crd['metadata']['name']} is not served")


class ClusterRun:
    """A run of the program that has come to the API. Time passes only while somebody sleeps."""

    def __init__(self, directory: Path, client: Client) -> None:
        self.seconds = 0.0
        self.on_sleep: Callable[[float], None] = lambda _: None
        self.root = HostRoot(directory)
        self.run = PostPivot(self.root, HostRunner(), Clock(lambda: self.seconds, self._sleep))
        self.run.client = client
        self.run.seed = SeedClusterInfo(release_registry="quay.io")
        self.set_site()

    def _sleep(self, seconds: float) -> None:
        self.seconds += seconds
        self.on_sleep(self.seconds)

    def set_site(self, **values: object) -> None:
        self.run.site = SeedReconfiguration.parse(json.dumps(values))

    def write(self, path: str, content: str) -> None:
        target = self.root.path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(content)

    def do(self, name: str) -> None:
        """Run a step of the itinerary."""
        outcome = self._run_step(name)
        assert outcome == Done(), outcome

    def fail(self, name: str) -> str:
        """Run a step of the itinerary that fails; return its message."""
        outcome = self._run_step(name)
        assert isinstance(outcome, Failed)
        return outcome.message

    def _run_step(self, name: str) -> object:
        (step,) = [step for step in CONFIGURE_NODE.steps if step.name == name]
        self.root.path("/opt/openshift").mkdir(parents=True, exist_ok=True)
        return step.run(self.run)


@pytest.fixture
def pivoted(tmp_path: Path, client: Client) -> ClusterRun:
    return ClusterRun(tmp_path, client)
