"""What a seed image tells about its cluster, read from a real API server (seed-image-and-gitops.md B.6)."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest

from agent.kube import Client, Kind, Object, errors
from sandbox.cluster.content.identities import _make_signer
from seeds.cluster import ClusterFactsError
from seeds.creation.cluster_info import collect_seed_info
from seeds.creation.image_list import list_catalog_images, list_related_images
from seeds.format import CpuTopology, SeedClusterInfo, TrustBundle
from seeds.storage_target import find_configured_storage_target

INSTALL_CONFIG = """
baseDomain: example.com
metadata: {name: seed}
networking:
  machineNetwork:
  - cidr: 192.168.127.0/24
"""
ROLE = "node-role.kubernetes.io/master"
CURRENT = "machineconfiguration.openshift.io/currentConfig"
UNIT = {"name": "var-lib-containers.mount", "contents": "[Mount]\nWhat=/dev/disk/by-partlabel/vlc\n"}
CONTAINER = {"name": "c", "image": "quay.io/openshift-release-dev/ocp-release@sha256:1"}


def make(api: str, kind: str, name: str, namespace: str | None = None, **more: Any) -> Object:
    metadata = {"name": name, **({"namespace": namespace} if namespace else {}), **more.pop("metadata", {})}
    return {"apiVersion": api, "kind": kind, "metadata": metadata, **more}


CONFIG = "config.openshift.io/v1"
OBJECTS: dict[str, Object] = {
    "version": make(CONFIG, "ClusterVersion", "version", spec={}, status={"desired": {"version": "4.16.1"}}),
    "proxy": make(CONFIG, "Proxy", "cluster", spec={"trustedCA": {"name": ""}}),
    "network": make(
        CONFIG,
        "Network",
        "cluster",
        spec={},
        status={"clusterNetwork": [{"cidr": "10.128.0.0/14"}], "serviceNetwork": ["172.30.0.0/16"]},
    ),
    "node": make(
        "v1",
        "Node",
        "seed1",
        metadata={"labels": {ROLE: ""}, "annotations": {CURRENT: "rendered-master-seed"}},
        status={
            "addresses": [
                {"type": "InternalIP", "address": "192.168.127.10"},
                {"type": "InternalIP", "address": "fd00::10"},
                {"type": "Hostname", "address": "seed1"},
            ]
        },
    ),
    "config": make(
        "machineconfiguration.openshift.io/v1",
        "MachineConfig",
        "rendered-master-seed",
        spec={"fips": True, "config": {"systemd": {"units": [UNIT]}}},
    ),
    "install": make("v1", "ConfigMap", "cluster-config-v1", "kube-system", data={"install-config": INSTALL_CONFIG}),
    "operator": make(
        "apps/v1",
        "Deployment",
        "cluster-version-operator",
        "openshift-cluster-version",
        spec={
            "selector": {"matchLabels": {"a": "b"}},
            "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [CONTAINER]}},
        },
    ),
}


@pytest.fixture
def cluster(seed_client: Client) -> Iterator[dict[str, Object]]:
    """The objects of a cluster; tests change them before `create` makes them."""
    objects = copy.deepcopy(OBJECTS)
    certificate = _make_signer("ca", "ingress-operator@1700000000")["ca.crt"]
    objects["router"] = make(
        "v1", "Secret", "router-ca", "openshift-ingress-operator", stringData={"tls.crt": certificate}
    )
    yield objects
    for obj in objects.values():
        try:
            seed_client.delete(Kind.of(obj), obj["metadata"]["name"], obj["metadata"].get("namespace"))
        except errors.NotFound:
            continue


@pytest.fixture(autouse=True, scope="module")
def namespaces(seed_client: Client) -> None:
    for name in ("openshift-cluster-version", "openshift-ingress-operator"):
        seed_client.create(make("v1", "Namespace", name))


def collect(client: Client, objects: dict[str, Object]) -> SeedClusterInfo:
    for obj in objects.values():
        live = client.create(obj)
        if "status" in obj:
            client.update_status({**live, "status": obj["status"]})
    return collect_seed_info(
        client, recert_image="quay.io/recert", container_storage_target="/dev/x", cpu_topology=CpuTopology(1, 2, 4)
    )


def test_info_holds_everything_that_the_format_knows(seed_client: Client, cluster: dict[str, Object]) -> None:
    assert collect(seed_client, cluster) == SeedClusterInfo(
        version="4.16.1",
        base_domain="example.com",
        cluster_name="seed",
        node_ips=("192.168.127.10", "fd00::10"),
        release_registry="quay.io",
        hostname="seed1",
        recert_image="quay.io/recert",
        has_fips=True,
        cluster_networks=("10.128.0.0/14",),
        service_networks=("172.30.0.0/16",),
        trust_bundle=TrustBundle(),
        container_storage_target="/dev/x",
        ingress_certificate_cn="ingress-operator@1700000000",
        machine_networks=("192.168.127.0/24",),
        cpu_topology=CpuTopology(1, 2, 4),
    )
    assert find_configured_storage_target(seed_client) == "/dev/disk/by-partlabel/vlc"


def test_proxy_and_mirrors_are_told(seed_client: Client, cluster: dict[str, Object]) -> None:
    cluster["proxy"]["spec"] = {"httpProxy": "http://proxy:3128"}
    mirror = {"source": "quay.io/a", "mirrors": ["registry.local/a"]}
    cluster["mirrors"] = make(CONFIG, "ImageDigestMirrorSet", "m", spec={"imageDigestMirrors": [mirror]})
    info = collect(seed_client, cluster)
    assert (info.has_proxy, info.mirror_registry_configured) == (True, True)


def drop(name: str) -> Any:
    return lambda objects: objects.pop(name)


def drop_addresses(objects: dict[str, Object]) -> None:
    objects["node"]["status"]["addresses"] = [{"type": "Hostname", "address": "seed1"}]


def add_master(objects: dict[str, Object]) -> None:
    objects["other"] = make("v1", "Node", "seed2", metadata={"labels": {ROLE: ""}})


def break_network(objects: dict[str, Object]) -> None:
    text = INSTALL_CONFIG.replace("192.168.127.0/24", "192.168.127.0/240")
    objects["install"]["data"]["install-config"] = text


def break_install_config(objects: dict[str, Object]) -> None:
    objects["install"]["data"]["install-config"] = "{"


def break_certificate(objects: dict[str, Object]) -> None:
    objects["router"]["stringData"]["tls.crt"] = "x"


def empty_bundle(objects: dict[str, Object]) -> None:
    objects["proxy"]["spec"] = {"trustedCA": {"name": "custom"}}
    objects["bundle"] = make("v1", "ConfigMap", "custom", "openshift-config", data={})


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (drop("version"), "failed to get clusterversion: "),
        (drop("proxy"), "failed to get proxy CR: "),
        (drop("install"), "failed to get install config from cluster: "),
        (drop("operator"), "failed to get cluster-version-operator deployment: "),
        (drop("router"), "failed to get ingress certificate CN: "),
        (drop("config"), "failed to get machineConfig rendered-master-seed: "),
        (drop("node"), "expected exactly one node, got 0"),
        (add_master, "expected exactly one node, got 2"),
        (drop_addresses, "failed to find node internal ip addresses"),
        (break_network, "machineNetwork has an invalid CIDR: 192.168.127.0/240"),
        (break_install_config, "failed to get install config from cluster: the value install-config of "),
        (break_certificate, "failed to get ingress certificate CN: failed to decode PEM block"),
        (empty_bundle, "proxy trustedCA configmap openshift-config/custom exists but is empty"),
    ],
)
def test_what_can_not_be_told_is_named(
    seed_client: Client, cluster: dict[str, Object], damage: Any, message: str
) -> None:
    damage(cluster)
    with pytest.raises(ClusterFactsError) as refused:
        collect(seed_client, cluster)
    assert message in str(refused.value)


def test_images_of_catalogs_and_operators_are_read_in_all_namespaces(
    seed_client: Client, cluster: dict[str, Object]
) -> None:
    olm = "operators.coreos.com/v1alpha1"
    related = [{"name": "a", "image": "quay.io/a:1"}, {"name": "b"}]
    cluster.clear()
    cluster["catalog"] = make(olm, "CatalogSource", "c", "default", spec={"image": "quay.io/catalog:1"})
    cluster["operator"] = make(olm, "ClusterServiceVersion", "o", "openshift-adp", spec={"relatedImages": related})
    for obj in cluster.values():
        seed_client.create(obj)
    assert list_catalog_images(seed_client) == ["quay.io/catalog:1"]
    assert list_related_images(seed_client) == ["quay.io/a:1", ""]


def test_password_of_the_administrator_is_kept_with_the_keys(
    seed_client: Client, cluster: dict[str, Object], tmp_path
) -> None:
    from agent.node.ending import ProgramError
    from agent.node.seed.crypto import back_up_crypto, has_password, read_password

    with pytest.raises(ProgramError, match="failed to backup certificates: .*admin-kubeconfig-client-ca.*router-ca"):
        back_up_crypto(seed_client, tmp_path)
    seed_client.create(make("v1", "Namespace", "openshift-kube-apiserver-operator"))
    cluster.clear()
    data = {"ca-bundle.crt": "CA"}
    cluster["ca"] = make("v1", "ConfigMap", "admin-kubeconfig-client-ca", "openshift-config", data=data)
    for name in ("loadbalancer-serving-signer", "localhost-serving-signer", "service-network-serving-signer"):
        cluster[name] = make("v1", "Secret", name, "openshift-kube-apiserver-operator", stringData={"tls.key": name})
    key = {"tls.key": "ingress"}
    cluster["router"] = make("v1", "Secret", "router-ca", "openshift-ingress-operator", stringData=key)
    for obj in cluster.values():
        seed_client.create(obj)
    back_up_crypto(seed_client, tmp_path)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        "admin-kubeconfig-client-ca.crt": "CA",
        "loadbalancer-serving-signer.key": "loadbalancer-serving-signer",
        "localhost-serving-signer.key": "localhost-serving-signer",
        "service-network-serving-signer.key": "service-network-serving-signer",
        "ingresskey-ingress-operator.key": "ingress",
    }
    assert (has_password(tmp_path), read_password(tmp_path)) == (False, "")
    cluster["admin"] = make("v1", "Secret", "kubeadmin", "kube-system", stringData={"kubeadmin": "$2a$10$x"})
    seed_client.create(cluster["admin"])
    back_up_crypto(seed_client, tmp_path)
    assert read_password(tmp_path) == "$2a$10$x"
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in tmp_path.iterdir())
