"""The Upgrade stage up to the request for the reboot.

Real: the API server with the rights of the operator's service account, a booted ostree node with two stateroots (its
commands run in that node), the controller with its passes. Played: Velero's and OpenShift's controllers by the test,
systemd by a recording stand-in; and the process around the controller, except in the tests that kill one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agent.kube import Client
from tests.api.operator.prepivot.cluster import NAMESPACE, NAMESPACES, Cluster, optional_crds
from tests.api.operator.prepivot.upgrade import Upgrade, prepare_node
from tests.host.scratchnode import ScratchNode


@pytest.fixture(scope="session")
def operator_client(operator_kubeconfig: Path) -> Iterator[Client]:
    """The operator's own access."""
    with Client.connect(operator_kubeconfig) as client:
        yield client


@pytest.fixture(scope="package")
def installed(client: Client, deployed: object, kubectl: Callable[..., str]) -> Iterator[None]:
    """The cluster of the recorded runs; other tests on this API server have namespaces of the same names."""
    crds = optional_crds()
    kubectl("apply", "-f", "-", stdin={"apiVersion": "v1", "kind": "List", "items": crds})
    names = [crd["metadata"]["name"] for crd in crds]
    kubectl("wait", "--for=condition=Established", "--timeout=60s", "crd", *names)
    wait_terminated(client, kubectl)
    cluster = Cluster(client)
    cluster.install()
    yield
    cluster.restore()
    wait_terminated(client, kubectl)


def wait_terminated(client: Client, kubectl: Callable[..., str]) -> None:
    """Wait until namespaces that are being deleted are gone."""
    found = {space["metadata"]["name"]: space for space in client.list(NAMESPACE)}
    leaving = [name for name in NAMESPACES if name in found and found[name]["metadata"].get("deletionTimestamp")]
    if leaving:
        kubectl("wait", "--for=delete", "--timeout=120s", *(f"namespace/{name}" for name in leaving))


@pytest.fixture
def cluster(client: Client, installed: None) -> Iterator[Cluster]:
    """Changes of the cluster, for one test."""
    cluster = Cluster(client)
    yield cluster
    cluster.restore()


@pytest.fixture
def node(tmp_path: Path, kubeconfig: Path) -> Iterator[ScratchNode]:
    """A node that Prep has prepared."""
    node = ScratchNode(tmp_path / "node")
    node.create()
    node.boot()
    prepare_node(node, kubeconfig)
    yield node
    node.destroy()


@pytest.fixture
def upgrade(no_upgrade: None, client: Client, operator_client: Client, node: ScratchNode, cluster: Cluster) -> Upgrade:
    """An upgrade of the recorded cluster."""
    return Upgrade(client, operator_client, node)
