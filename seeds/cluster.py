"""What a running cluster is, in the seed's terms: read from its API for the comparison with a seed (prep.md 4.6)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from agent.kube import Client, Kind, Object, errors
from seeds.compat import ClusterFacts
from seeds.format import TrustBundle
from seeds.identity import list_addresses

PROXY = Kind("config.openshift.io", "v1", "Proxy")
NETWORK = Kind("config.openshift.io", "v1", "Network")
CLUSTER_VERSION = Kind("config.openshift.io", "v1", "ClusterVersion")
DIGEST_MIRROR_SET = Kind("config.openshift.io", "v1", "ImageDigestMirrorSet")
CONTENT_SOURCE_POLICY = Kind("operator.openshift.io", "v1alpha1", "ImageContentSourcePolicy")
MACHINE_CONFIG = Kind("machineconfiguration.openshift.io", "v1", "MachineConfig")
NODE = Kind("", "v1", "Node")
CONFIG_MAP = Kind("", "v1", "ConfigMap")

CURRENT_CONFIG_ANNOTATION = "machineconfiguration.openshift.io/currentConfig"
CONFIG_NAMESPACE = "openshift-config"
USER_CA_BUNDLE = "user-ca-bundle"

Value = TypeVar("Value")


class ClusterFactsError(Exception):
    """The cluster's objects do not tell a fact; the text names the fact and the reason."""


def collect_cluster_facts(client: Client, container_storage_target: str) -> ClusterFacts:
    """Read everything that is compared with a seed.

    Raises ClusterFactsError; a transient API error passes through, to be tried again.
    """
    proxy = _attempt(
        "failed to check if cluster has proxy: failed to get proxy CR", lambda: client.get(PROXY, "cluster")
    )
    nodes = _attempt("failed to check if cluster has fips: failed to list nodes", lambda: client.list(NODE))
    network = _attempt("failed to get network CR", lambda: client.find(NETWORK, "cluster")) or {}
    status = network.get("status") or {}
    return ClusterFacts(
        has_proxy=has_proxy(proxy),
        has_fips=_read_fips(client, nodes),
        trust_bundle=read_trust_bundle(client, proxy),
        container_storage_target=container_storage_target,
        mirror_registry_configured=bool(list_mirror_sources(client)),
        node_ips=tuple(address for node in nodes for address in list_addresses(node, "InternalIP")),
        cluster_networks=tuple(entry.get("cidr", "") for entry in status.get("clusterNetwork") or ()),
        service_networks=tuple(status.get("serviceNetwork") or ()),
    )


def has_proxy(proxy: Object) -> bool:
    """Tell whether the cluster goes out through a proxy."""
    spec = proxy.get("spec") or {}
    return any(spec.get(key) for key in ("httpProxy", "httpsProxy", "noProxy"))


def read_trust_bundle(client: Client, proxy: Object) -> TrustBundle:
    """Return the state of the additional certificate authorities. Raises ClusterFactsError."""
    name = ((proxy.get("spec") or {}).get("trustedCA") or {}).get("name", "")
    has_user_bundle = _has_bundle(client, USER_CA_BUNDLE)
    if not name:
        return TrustBundle(has_user_bundle, "")
    if _has_bundle(client, name):
        return TrustBundle(has_user_bundle, name)
    if name != USER_CA_BUNDLE:
        raise ClusterFactsError(
            "failed to get cluster additional trust bundle state: "
            f"proxy trustedCA configmap {CONFIG_NAMESPACE}/{name} exists but is empty"
        )
    return TrustBundle(has_user_bundle, "")


def list_mirror_sources(client: Client) -> set[str]:
    """Return the registries for which the cluster has digest mirrors. Raises ClusterFactsError."""
    prefix = "failed to get mirror registry source registries from cluster failed to list"
    policies = _attempt(f"{prefix} ImageContentSourcePolicy", lambda: list_served(client, CONTENT_SOURCE_POLICY))
    sets = _attempt(f"{prefix} ImageDigestMirrorSet", lambda: list_served(client, DIGEST_MIRROR_SET))
    return {
        source.partition("/")[0]
        for objects, key in ((policies, "repositoryDigestMirrors"), (sets, "imageDigestMirrors"))
        for obj in objects
        for mirror in (obj.get("spec") or {}).get(key) or ()
        if (source := mirror.get("source", ""))
    }


def list_served(client: Client, kind: Kind) -> list[Object]:
    """List a kind that a cluster need not have: releases serve one mirror kind or the other. Raises ApiError."""
    return client.list(kind) if client.serves(kind) else []


def _read_fips(client: Client, nodes: list[Object]) -> bool:
    prefix = "failed to check if cluster has fips: "
    if len(nodes) != 1:
        raise ClusterFactsError(f"{prefix}expected exactly one node, got {len(nodes)}")
    name = (nodes[0]["metadata"].get("annotations") or {}).get(CURRENT_CONFIG_ANNOTATION)
    if not name:
        raise ClusterFactsError(f"{prefix}failed to get currentConfig annotation")
    config = _attempt(f"{prefix}failed to get machineConfig {name}", lambda: client.get(MACHINE_CONFIG, name))
    return bool((config.get("spec") or {}).get("fips"))


def _has_bundle(client: Client, name: str) -> bool:
    found = _attempt(
        "failed to get cluster additional trust bundle state", lambda: client.find(CONFIG_MAP, name, CONFIG_NAMESPACE)
    )
    return bool(((found or {}).get("data") or {}).get("ca-bundle.crt"))


def _attempt(doing: str, read: Callable[[], Value]) -> Value:
    try:
        return read()
    except errors.Transient:
        raise
    except errors.ApiError as error:
        raise ClusterFactsError(f"{doing}: {error}") from error
