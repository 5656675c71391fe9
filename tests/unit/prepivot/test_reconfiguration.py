"""The reconfiguration that is made of a cluster's objects (upgrade-and-oadp.md 9.1)."""

from __future__ import annotations

import base64
import copy
from collections.abc import Callable
from typing import Any

import pytest

from agent.ibu.prepivot.cluster_objects import OBJECTS, ClusterSnapshot
from agent.ibu.prepivot.host_identity import HostIdentity
from agent.ibu.prepivot.reconfiguration import compose_reconfiguration
from seeds.identity import IdentityError
from seeds.reconfiguration import AdditionalTrust, ProxySettings, SeedReconfiguration, ServerSshKey
from tests.unit.seeds.certificates import make_certificate

Change = Callable[[ClusterSnapshot], Any]
INSTALL_CONFIG = "baseDomain: example.com\nmetadata: {name: sno}\nnetworking: {machineNetwork: [{cidr: 10.0.0.0/24}]}\n"
HOST = HostIdentity("ssh-rsa core\n", (ServerSshKey(file_name="ssh_host_rsa_key", content="KEY"),), "server t\n")


def encode(**data: str) -> dict[str, str]:
    return {key.replace("_", "."): base64.b64encode(value.encode()).decode() for key, value in data.items()}


DATA: dict[str, dict[str, Any]] = {
    "install_config": {"data": {"install-config": INSTALL_CONFIG}},
    "cluster_version": {"spec": {"clusterID": "1111"}},
    "infrastructure": {"status": {"infrastructureName": "sno-x7k2p"}},
    "version_operator": {"spec": {"template": {"spec": {"containers": [{"image": "quay.io/release@sha256:1"}]}}}},
    "proxy": {"spec": {"trustedCA": {"name": ""}}},
    "localhost_signer": {"data": encode(tls_key="LOCAL")},
    "service_signer": {"data": encode(tls_key="SERVICE")},
    "loadbalancer_signer": {"data": encode(tls_key="LB")},
    "admin_ca": {"data": {"ca-bundle.crt": "ADMIN"}},
    "router_ca": {"data": encode(tls_key="ROUTER", tls_crt=make_certificate("ingress-operator@1"))},
    "kubeadmin": {"data": encode(kubeadmin="$2a$10$x")},
    "pull_secret": {"data": {".dockerconfigjson": base64.b64encode(b'{"auths":{}}').decode()}},
}
NODE = {
    "metadata": {"name": "sno1", "labels": {"site": "edge"}},
    "status": {
        "addresses": [
            {"type": "InternalIP", "address": "10.0.0.5"},
            {"type": "InternalIP", "address": "fd00::5"},
            {"type": "Hostname", "address": "sno1"},
        ]
    },
}


@pytest.fixture
def snapshot() -> ClusterSnapshot:
    """A cluster without proxy and additional authorities."""
    named = {}
    for name, data in DATA.items():
        wanted = OBJECTS[name]
        metadata = {"name": wanted.name, **({"namespace": wanted.namespace} if wanted.namespace else {})}
        named[name] = {"kind": wanted.kind.kind, "metadata": metadata, **copy.deepcopy(data)}
    return ClusterSnapshot(named, [copy.deepcopy(NODE)])


def test_every_object_is_read_for_something(snapshot: ClusterSnapshot) -> None:
    assert {*snapshot.named, "user_ca"} == set(OBJECTS)


def test_composed_values(snapshot: ClusterSnapshot) -> None:
    made = compose_reconfiguration(snapshot, HOST)
    crypto = made.kubeconfig_crypto
    assert (made.base_domain, made.cluster_name, made.cluster_id) == ("example.com", "sno", "1111")
    assert (made.infra_id, made.release_registry) == ("sno-x7k2p", "quay.io")
    assert (made.node_ips, made.hostname, made.node_labels) == (("10.0.0.5", "fd00::5"), "sno1", {"site": "edge"})
    assert made.machine_networks == ("10.0.0.0/24",)
    assert crypto.kube_api.serving.localhost_signer == "LOCAL"
    assert crypto.kube_api.serving.service_network_signer == "SERVICE"
    assert crypto.kube_api.serving.loadbalancer_signer == "LB"
    assert crypto.kube_api.client_auth.admin_ca == "ADMIN"
    assert (crypto.ingress.ca_key, crypto.ingress.certificate_cn) == ("ROUTER", "ingress-operator@1")
    assert (made.kubeadmin_password_hash, made.pull_secret) == ("$2a$10$x", '{"auths":{}}')
    assert made.install_config == INSTALL_CONFIG
    assert HostIdentity(made.ssh_key, made.server_ssh_keys, made.chrony_config) == HOST
    assert (made.proxy, made.status_proxy, made.additional_trust) == (None, None, AdditionalTrust())


def test_values_that_may_be_missing_are_left_out(snapshot: ClusterSnapshot) -> None:
    del snapshot.named["kubeadmin"]
    snapshot.named["install_config"]["data"]["install-config"] = INSTALL_CONFIG.partition("networking")[0]
    snapshot.masters[0]["metadata"]["labels"] = None
    dumped = compose_reconfiguration(snapshot, HostIdentity("key")).dump()
    for key in ("kubeadmin_password_hash", "machine_networks", "node_labels", "server_ssh_keys", "chrony_config"):
        assert key not in dumped


@pytest.mark.parametrize(
    ("spec", "status", "proxy", "status_proxy"),
    [
        pytest.param({"httpProxy": "", "trustedCA": {"name": ""}}, {"noProxy": "x"}, None, None, id="none"),
        pytest.param(
            {"httpProxy": "http://p", "httpsProxy": "https://p", "noProxy": "a"},
            {"httpProxy": "http://p", "httpsProxy": "https://p", "noProxy": "a,b"},
            ProxySettings(http="http://p", https="https://p", no_proxy="a"),
            ProxySettings(http="http://p", https="https://p", no_proxy="a,b"),
            id="both",
        ),
        pytest.param({"noProxy": "a"}, None, ProxySettings(no_proxy="a"), ProxySettings(), id="no-status"),
    ],
)
def test_proxy(
    snapshot: ClusterSnapshot,
    spec: dict[str, Any],
    status: dict[str, Any] | None,
    proxy: ProxySettings | None,
    status_proxy: ProxySettings | None,
) -> None:
    snapshot.named["proxy"] |= {"spec": spec, "status": status}
    made = compose_reconfiguration(snapshot, HOST)
    assert (made.proxy, made.status_proxy) == (proxy, status_proxy)
    assert SeedReconfiguration.parse(made.dump()) == made


def make_bundle(text: str) -> dict[str, Any]:
    return {"kind": "ConfigMap", "metadata": {"name": "x"}, "data": {"ca-bundle.crt": text}}


USERS = AdditionalTrust(user_ca_bundle="USER", proxy_configmap_name="user-ca-bundle", proxy_configmap_bundle="USER")
OWN = AdditionalTrust(user_ca_bundle="USER", proxy_configmap_name="own", proxy_configmap_bundle="OWN")


@pytest.mark.parametrize(
    ("name", "bundles", "trust"),
    [
        pytest.param("", {"user_ca": "USER"}, AdditionalTrust(user_ca_bundle="USER"), id="user-only"),
        pytest.param("user-ca-bundle", {"user_ca": "USER", "trusted_ca": "USER"}, USERS, id="proxy-names-the-users"),
        pytest.param("user-ca-bundle", {}, AdditionalTrust(proxy_configmap_name="user-ca-bundle"), id="no-users"),
        pytest.param("own", {"user_ca": "USER", "trusted_ca": "OWN"}, OWN, id="proxy-names-its-own"),
    ],
)
def test_additional_trust(
    snapshot: ClusterSnapshot, name: str, bundles: dict[str, str], trust: AdditionalTrust
) -> None:
    snapshot.named["proxy"]["spec"] = {"trustedCA": {"name": name}}
    for key, text in bundles.items():
        snapshot.named[key] = make_bundle(text)
    assert compose_reconfiguration(snapshot, HOST).additional_trust == trust


def drop(name: str, *path: str) -> Change:
    def change(snapshot: ClusterSnapshot) -> None:
        part = snapshot.named[name]
        for key in path[:-1]:
            part = part[key]
        del part[path[-1]]

    return change


PROBLEMS: dict[str, tuple[Change, str]] = {
    "install-config": (
        drop("install_config", "data"),
        "ConfigMap kube-system/cluster-config-v1 has no key install-config",
    ),
    "cluster-id": (drop("cluster_version", "spec", "clusterID"), "ClusterVersion version has no spec.clusterID"),
    "infra-id": (drop("infrastructure", "status"), "Infrastructure cluster has no status.infrastructureName"),
    "release-registry": (
        drop("version_operator", "spec", "template"),
        "Deployment openshift-cluster-version/cluster-version-operator has no container with an image",
    ),
    "signer": (
        drop("loadbalancer_signer", "data", "tls.key"),
        "Secret openshift-kube-apiserver-operator/loadbalancer-serving-signer has no key tls.key",
    ),
    "admin-ca": (
        drop("admin_ca", "data", "ca-bundle.crt"),
        "ConfigMap openshift-config/admin-kubeconfig-client-ca has no key ca-bundle.crt",
    ),
    "ingress-certificate": (
        lambda snapshot: snapshot.named["router_ca"]["data"].update(encode(tls_crt="no PEM")),
        "Secret openshift-ingress-operator/router-ca: tls.crt: not a certificate in PEM: ",
    ),
    "password": (drop("kubeadmin", "data", "kubeadmin"), "Secret kube-system/kubeadmin has no key kubeadmin"),
    "two-masters": (
        lambda snapshot: snapshot.masters.append(NODE),
        "we should have one master node in sno cluster, current number is 2",
    ),
    "hostname": (
        lambda snapshot: snapshot.masters[0]["status"]["addresses"].pop(),
        "failed to find node hostname",
    ),
    "addresses": (
        lambda snapshot: snapshot.masters[0].update(status={}),
        "failed to find the internal address of node sno1; failed to find node hostname",
    ),
    "empty-trusted-ca": (
        lambda snapshot: snapshot.named["proxy"].update(spec={"trustedCA": {"name": "own"}}),
        "proxy trustedCA configmap openshift-config/own exists but is empty",
    ),
}


@pytest.mark.parametrize(("change", "problem"), [pytest.param(*pair, id=name) for name, pair in PROBLEMS.items()])
def test_problem_is_named_once(snapshot: ClusterSnapshot, change: Change, problem: str) -> None:
    change(snapshot)
    with pytest.raises(IdentityError) as caught:
        compose_reconfiguration(snapshot, HOST)
    assert str(caught.value).startswith(problem)
    assert str(caught.value).count(problem) == 1


def test_all_problems_are_told_at_once(snapshot: ClusterSnapshot) -> None:
    drop("infrastructure", "status")(snapshot)
    drop("pull_secret", "data")(snapshot)
    snapshot.masters.clear()
    with pytest.raises(IdentityError) as caught:
        compose_reconfiguration(snapshot, HOST)
    assert str(caught.value).split("; ") == [
        "Infrastructure cluster has no status.infrastructureName",
        "we should have one master node in sno cluster, current number is 0",
        "Secret openshift-config/pull-secret has no key .dockerconfigjson",
    ]
