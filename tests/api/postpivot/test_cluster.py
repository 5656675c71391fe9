"""Steps 14 to 17, 20, 23 and 24 of post-pivot-and-rollback.md 5."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.kube import Client, Kind, Object, errors
from agent.node.postpivot.api import KUBECONFIG
from sandbox.cluster.content.kinds import crd_documents
from seeds.format import SeedClusterInfo
from tests.api.postpivot.conftest import CRD, VERSION_OPERATOR, ClusterRun, install_kind

NODE = Kind("", "v1", "Node")
DEPLOYMENT = Kind("apps", "v1", "Deployment")
CLUSTER_VERSION = Kind("config.openshift.io", "v1", "ClusterVersion")
DIGEST_MIRRORS = Kind("config.openshift.io", "v1", "ImageDigestMirrorSet")
TAG_MIRRORS = Kind("config.openshift.io", "v1", "ImageTagMirrorSet")
POLICIES = Kind("operator.openshift.io", "v1alpha1", "ImageContentSourcePolicy")
CATALOGS = Kind("operators.coreos.com", "v1alpha1", "CatalogSource")
POLICIES_CRD = "imagecontentsourcepolicies.operator.openshift.io"
CVO = ("cluster-version-operator", VERSION_OPERATOR)
IMAGE = "quay.io/openshift-release-dev/ocp-release@sha256:1"


def create(client: Client, kind: Kind, name: str, namespace: str | None = None, **content: object) -> None:
    metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
    client.create({"apiVersion": kind.api_version, "kind": kind.kind, "metadata": metadata, **content})


def names(client: Client, kind: Kind) -> list[str]:
    return [each["metadata"]["name"] for each in client.list(kind)]


@pytest.fixture
def mirrors(client: Client, namespace: str) -> Iterator[None]:
    """What the seed's cluster had."""
    for kind in (DIGEST_MIRRORS, TAG_MIRRORS, POLICIES):
        create(client, kind, "seed", spec={})
    for name in ("one", "two"):
        create(client, CATALOGS, name, namespace, spec={})
    yield
    for kind in (DIGEST_MIRRORS, TAG_MIRRORS, POLICIES):
        for name in names(client, kind) if client.serves(kind) else []:
            client.delete(kind, name)


@pytest.mark.usefixtures("mirrors")
def test_mirrors_and_catalogs_of_the_seed_go(pivoted: ClusterRun, client: Client) -> None:
    for _ in range(2):
        pivoted.do("delete_old_mirrors")
    assert {kind: names(client, kind) for kind in (DIGEST_MIRRORS, TAG_MIRRORS, POLICIES, CATALOGS)} == {
        DIGEST_MIRRORS: [],
        TAG_MIRRORS: ["seed"],
        POLICIES: [],
        CATALOGS: [],
    }


@pytest.mark.usefixtures("mirrors")
def test_release_without_a_kind_of_mirrors_is_fine(pivoted: ClusterRun, client: Client) -> None:
    version = client.get(CRD, POLICIES_CRD)["metadata"]["resourceVersion"]
    client.delete(CRD, POLICIES_CRD)
    with client.watch(CRD, name=POLICIES_CRD, resource_version=version, timeout_seconds=60) as watch:
        assert any(event.type == "DELETED" for event in watch)
    pivoted.do("delete_old_mirrors")
    assert names(client, DIGEST_MIRRORS) == []
    assert pivoted.seconds == 0
    install_kind(client, next(crd for crd in crd_documents() if crd["metadata"]["name"] == POLICIES_CRD))


@pytest.fixture
def version_operator(client: Client) -> Iterator[None]:
    container = {"name": "cvo", "image": IMAGE, "args": ["start", f"--release-image={IMAGE}", "--v=2"]}
    template = {"metadata": {"labels": {"app": "cvo"}}, "spec": {"containers": [container]}}
    create(client, DEPLOYMENT, *CVO, spec={"selector": {"matchLabels": {"app": "cvo"}}, "template": template})
    yield
    client.delete(DEPLOYMENT, *CVO)


def read_release(client: Client) -> tuple[str, list[str]]:
    container = client.get(DEPLOYMENT, *CVO)["spec"]["template"]["spec"]["containers"][0]
    return container["image"], container["args"]


@pytest.mark.usefixtures("version_operator")
def test_release_comes_from_the_registry_of_the_site(pivoted: ClusterRun, client: Client) -> None:
    pivoted.run.seed = SeedClusterInfo(release_registry="quay.io", mirror_registry_configured=True)
    pivoted.set_site(release_registry="mirror.example.com:8443")
    for _ in range(2):
        pivoted.do("change_release_registry")
    image = IMAGE.replace("quay.io", "mirror.example.com:8443")
    assert read_release(client) == (image, ["start", f"--release-image={image}", "--v=2"])


@pytest.mark.usefixtures("version_operator")
@pytest.mark.parametrize(
    ("seed", "site"),
    [
        (SeedClusterInfo(release_registry="quay.io"), "mirror.example.com"),
        (SeedClusterInfo(release_registry="quay.io", mirror_registry_configured=True), "quay.io"),
    ],
    ids=["not-wanted", "the-same"],
)
def test_release_stays_where_it_is(pivoted: ClusterRun, client: Client, seed: SeedClusterInfo, site: str) -> None:
    pivoted.run.seed = seed
    pivoted.set_site(release_registry=site)
    pivoted.do("change_release_registry")
    assert read_release(client)[0] == IMAGE


def test_missing_version_operator_is_told(pivoted: ClusterRun) -> None:
    pivoted.run.seed = SeedClusterInfo(release_registry="quay.io", mirror_registry_configured=True)
    pivoted.set_site(release_registry="mirror.example.com")
    assert pivoted.fail("change_release_registry").startswith("failed change registry in CSV deployment: ")


@pytest.fixture
def cluster_version(client: Client) -> Iterator[None]:
    create(client, CLUSTER_VERSION, "version", spec={"clusterID": "seed", "channel": "stable-4.16"})
    yield
    client.delete(CLUSTER_VERSION, "version")


@pytest.mark.usefixtures("cluster_version")
def test_cluster_gets_the_id_of_the_site(pivoted: ClusterRun, client: Client) -> None:
    pivoted.set_site(cluster_id="site")
    pivoted.do("set_cluster_id")
    assert client.get(CLUSTER_VERSION, "version")["spec"] == {"clusterID": "site", "channel": "stable-4.16"}
    assert pivoted.root.path("/opt/openshift/set_cluster_id.done").exists()


def test_missing_cluster_id_is_told(pivoted: ClusterRun) -> None:
    text = "cluster id is empty, automatic generation is not yet implemented"
    assert pivoted.fail("set_cluster_id") == f"failed to run once set_cluster_id for post pivot: {text}"


@pytest.fixture
def node(client: Client) -> Iterator[str]:
    metadata: Object = {"name": "sno1", "labels": {"node-role.kubernetes.io/master": ""}}
    client.create({"apiVersion": "v1", "kind": "Node", "metadata": metadata})
    yield "sno1"
    client.delete(NODE, "sno1")


def test_node_gets_the_labels_of_the_site(pivoted: ClusterRun, client: Client, node: str) -> None:
    pivoted.set_site(node_labels={"site": "edge-7", "kubernetes.io/hostname": "old"})
    pivoted.do("set_node_labels")
    labels = client.get(NODE, node)["metadata"]["labels"]
    assert labels["site"] == "edge-7"
    assert "kubernetes.io/hostname" not in labels


def test_labels_wait_for_the_node(pivoted: ClusterRun, client: Client) -> None:
    def register(seconds: float) -> None:
        if seconds == 3:
            metadata = {"name": "late", "labels": {"node-role.kubernetes.io/master": ""}}
            client.create({"apiVersion": "v1", "kind": "Node", "metadata": metadata})

    pivoted.on_sleep = register
    pivoted.set_site(node_labels={"site": "edge-7"})
    pivoted.do("set_node_labels")
    assert client.get(NODE, "late")["metadata"]["labels"]["site"] == "edge-7"
    client.delete(NODE, "late")


def test_labels_without_a_node_fail_with_the_known_text(pivoted: ClusterRun) -> None:
    pivoted.set_site(node_labels={"site": "edge-7"})
    assert pivoted.fail("set_node_labels") == (
        "failed to run once set_cluster_id for post pivot: failed to patch node with new labels "
        "context deadline exceeded (set_node_labels: 0 nodes have the label node-role.kubernetes.io/master=)"
    )
    assert pivoted.seconds == 300


def test_node_without_labels_of_its_own_needs_none(pivoted: ClusterRun) -> None:
    pivoted.set_site(node_labels={"kubernetes.io/hostname": "old"})
    pivoted.do("set_node_labels")


def test_missing_kubeconfig_is_told(pivoted: ClusterRun) -> None:
    text = f"failed to create k8s dynamic client, err: could not find kubeconfigFile: {KUBECONFIG}"
    assert pivoted.fail("check_kubeconfig") == text


def test_kubeconfig_that_is_none_is_told(pivoted: ClusterRun) -> None:
    pivoted.write(KUBECONFIG, "no kubeconfig")
    assert pivoted.fail("check_kubeconfig").startswith("failed to create k8s client, err: kubeconfig ")


def test_api_is_waited_for_with_the_kubeconfig_of_the_moment(pivoted: ClusterRun, kubeconfig: Path) -> None:
    """A start of the API server may rewrite it."""
    pivoted.write(KUBECONFIG, kubeconfig.read_text().replace("server: https://", "server: https://127.0.0.1:9/"))

    def start(seconds: float) -> None:
        if seconds >= 3:
            shutil.copy(kubeconfig, pivoted.root.path(KUBECONFIG))

    pivoted.on_sleep = start
    pivoted.do("wait_for_api")
    assert pivoted.seconds == 3
    assert pivoted.run.client.list(NODE) == []


def test_api_is_waited_for_no_longer_than_configured(pivoted: ClusterRun) -> None:
    pivoted.write(KUBECONFIG, "{}")
    pivoted.run.wait_seconds = 90
    message = pivoted.fail("wait_for_api")
    assert message.startswith("failed to wait for the API server: timed out after 1m30s waiting for the API server: ")


def test_conflict_with_somebody_else_is_tried_again(pivoted: ClusterRun) -> None:
    calls: list[int] = []

    def act() -> int:
        calls.append(1)
        if len(calls) < 3:
            raise errors.Conflict("the object has been modified", status=409)
        return len(calls)

    from agent.node.postpivot.api import tell_patience_seconds

    assert pivoted.run.make_retrier(tell_patience_seconds).call(act) == 3
