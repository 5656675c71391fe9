"""Reads from a running cluster what its seed image shall tell about it (seed-image-and-gitops.md B.6)."""

from __future__ import annotations

import base64
import binascii
import ipaddress
from collections.abc import Callable
from typing import Any, TypeVar

import yaml

from agent.kube import Client, Kind, Object, errors
from seeds.cluster import (
    CLUSTER_VERSION,
    CONFIG_MAP,
    ClusterFactsError,
    collect_cluster_facts,
)
from seeds.format import CpuTopology, SeedClusterInfo

NODE = Kind("", "v1", "Node")
SECRET = Kind("", "v1", "Secret")
DEPLOYMENT = Kind("apps", "v1", "Deployment")
MASTER_LABEL = "node-role.kubernetes.io/master"
ROUTER_CA = ("router-ca", "openshift-ingress-operator")

Value = TypeVar("Value")


def collect_seed_info(
    client: Client, *, recert_image: str, container_storage_target: str, cpu_topology: CpuTopology | None
) -> SeedClusterInfo:
    """Read everything about the cluster; what is no object of the cluster comes as argument.

    Raises ClusterFactsError that names what can not be told; a transient API error passes through.
    """
    facts = collect_cluster_facts(client, container_storage_target)
    install = _read_install_config(client)
    node = _find_master(client)
    return SeedClusterInfo(
        version=_read_version(client),
        base_domain=install.base_domain,
        cluster_name=install.cluster_name,
        node_ips=_find_addresses(node, "InternalIP", "failed to find node internal ip addresses"),
        release_registry=_read_release_registry(client),
        mirror_registry_configured=facts.mirror_registry_configured,
        hostname=_find_addresses(node, "Hostname", "failed to find node hostname")[0],
        recert_image=recert_image,
        has_proxy=facts.has_proxy,
        cluster_networks=facts.cluster_networks,
        service_networks=facts.service_networks,
        has_fips=facts.has_fips,
        trust_bundle=facts.trust_bundle,
        container_storage_target=container_storage_target,
        ingress_certificate_cn=_read_ingress_name(client),
        machine_networks=install.machine_networks,
        cpu_topology=cpu_topology,
    )


class _InstallConfig:
    def __init__(self, data: dict[str, Any]) -> None:
        self.base_domain = str(data.get("baseDomain") or "")
        self.cluster_name = str((data.get("metadata") or {}).get("name") or "")
        networks = (data.get("networking") or {}).get("machineNetwork") or ()
        self.machine_networks = tuple(str(entry.get("cidr")) for entry in networks)


def _read_install_config(client: Client) -> _InstallConfig:
    doing = "failed to get install config from cluster"
    found = _attempt(doing, lambda: client.get(CONFIG_MAP, "cluster-config-v1", "kube-system"))
    text = (found.get("data") or {}).get("install-config", "")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        install = _InstallConfig(yaml.load(text, Loader=loader))  # noqa: S506 - both are safe
    except (yaml.YAMLError, AttributeError, TypeError) as error:
        raise ClusterFactsError(
            f"{doing}: the value install-config of kube-system/cluster-config-v1: {error}"
        ) from error
    for network in install.machine_networks:
        try:
            ipaddress.ip_network(network, strict=False)
        except ValueError:
            raise ClusterFactsError(f"machineNetwork has an invalid CIDR: {network}") from None
    return install


def _find_master(client: Client) -> Object:
    nodes = _attempt("failed to list nodes", lambda: client.list(NODE, labels=MASTER_LABEL))
    if len(nodes) != 1:
        raise ClusterFactsError(f"we should have one master node in sno cluster, current number is {len(nodes)}")
    return nodes[0]


def _find_addresses(node: Object, kind: str, failure: str) -> tuple[str, ...]:
    addresses = (node.get("status") or {}).get("addresses") or ()
    found = tuple(str(entry["address"]) for entry in addresses if entry.get("type") == kind)
    if not found:
        raise ClusterFactsError(failure)
    return found


def _read_version(client: Client) -> str:
    doing = "failed to get clusterversion"
    found = _attempt(doing, lambda: client.get(CLUSTER_VERSION, "version"))
    version = ((found.get("status") or {}).get("desired") or {}).get("version")
    if not version:
        raise ClusterFactsError(f"{doing}: status.desired.version is not set")
    return str(version)


def _read_release_registry(client: Client) -> str:
    name = ("cluster-version-operator", "openshift-cluster-version")
    found = _attempt("failed to get cluster-version-operator deployment", lambda: client.get(DEPLOYMENT, *name))
    image = str(found["spec"]["template"]["spec"]["containers"][0]["image"])
    return image.partition("/")[0]


def _read_ingress_name(client: Client) -> str:
    from cryptography import x509  # slow: not for those who only want a constant of this module
    from cryptography.x509.oid import NameOID

    doing = "failed to get ingress certificate CN"
    secret = _attempt(doing, lambda: client.get(SECRET, *ROUTER_CA))
    try:
        pem = base64.b64decode((secret.get("data") or {}).get("tls.crt", ""), validate=True)
        certificate = x509.load_pem_x509_certificate(pem)
    except (binascii.Error, ValueError) as error:
        raise ClusterFactsError(f"{doing}: failed to decode PEM block") from error
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    if not names:
        raise ClusterFactsError(f"{doing}: the certificate of {ROUTER_CA[1]}/{ROUTER_CA[0]} has no common name")
    return str(names[0].value)


def _attempt(doing: str, read: Callable[[], Value]) -> Value:
    try:
        return read()
    except errors.Transient:
        raise
    except errors.ApiError as error:
        raise ClusterFactsError(f"{doing}: {error}") from error
