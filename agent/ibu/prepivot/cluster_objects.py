"""Reads the objects that the reconfiguration is made from, all of them before anything is said about one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from agent.kube import Client, Kind, Object, errors
from seeds.cluster import CLUSTER_VERSION, CONFIG_MAP, CONFIG_NAMESPACE, NODE, PROXY, USER_CA_BUNDLE
from seeds.identity import MASTER_LABEL

INFRASTRUCTURE = Kind("config.openshift.io", "v1", "Infrastructure")
SECRET = Kind("", "v1", "Secret")
DEPLOYMENT = Kind("apps", "v1", "Deployment")

_SIGNERS = "openshift-kube-apiserver-operator"


@dataclass(frozen=True, slots=True)
class Wanted:
    """One object, and what to say when it can not be read. An optional one may be absent."""

    kind: Kind
    name: str
    namespace: str | None
    problem: str
    optional: bool = False


OBJECTS = {
    "install_config": Wanted(CONFIG_MAP, "cluster-config-v1", "kube-system", "failed to get install config"),
    "cluster_version": Wanted(CLUSTER_VERSION, "version", None, "failed to get clusterversion"),
    "infrastructure": Wanted(INFRASTRUCTURE, "cluster", None, "failed to get infrastructure"),
    "version_operator": Wanted(
        DEPLOYMENT, "cluster-version-operator", "openshift-cluster-version", "failed to get release registry"
    ),
    "proxy": Wanted(PROXY, "cluster", None, "failed to get proxy"),
    "localhost_signer": Wanted(SECRET, "localhost-serving-signer", _SIGNERS, "failed to get kubeconfig crypto"),
    "service_signer": Wanted(SECRET, "service-network-serving-signer", _SIGNERS, "failed to get kubeconfig crypto"),
    "loadbalancer_signer": Wanted(SECRET, "loadbalancer-serving-signer", _SIGNERS, "failed to get kubeconfig crypto"),
    "admin_ca": Wanted(CONFIG_MAP, "admin-kubeconfig-client-ca", CONFIG_NAMESPACE, "failed to get kubeconfig crypto"),
    "router_ca": Wanted(SECRET, "router-ca", "openshift-ingress-operator", "failed to get kubeconfig crypto"),
    "kubeadmin": Wanted(SECRET, "kubeadmin", "kube-system", "failed to get kubeadmin password", optional=True),
    "pull_secret": Wanted(SECRET, "pull-secret", CONFIG_NAMESPACE, "failed to get pull secret"),
    "user_ca": Wanted(CONFIG_MAP, USER_CA_BUNDLE, CONFIG_NAMESPACE, "failed to get user CA bundle", optional=True),
}
"""Name in `ClusterSnapshot.named` -> object."""

ClusterObjects: TypeAlias = dict[str, Object]


@dataclass(frozen=True, slots=True)
class ClusterSnapshot:
    """What was read: `named` as in `OBJECTS` (absent optional ones are left out) and `trusted_ca`, if the proxy names
    one that exists; `masters` are the nodes with the master label."""

    named: ClusterObjects
    masters: list[Object]


def read_snapshot(client: Client, problems: list[str]) -> ClusterSnapshot:
    """Read everything; what can not be read is left out and appended to `problems`. Raises transient ApiErrors."""
    named: ClusterObjects = {}
    for name, wanted in OBJECTS.items():
        _read(client, name, wanted, named, problems)
    if trusted := ((named.get("proxy", {}).get("spec") or {}).get("trustedCA") or {}).get("name"):
        wanted = Wanted(CONFIG_MAP, trusted, CONFIG_NAMESPACE, "failed to get proxy trustedCA", optional=True)
        _read(client, "trusted_ca", wanted, named, problems)
    return ClusterSnapshot(named, client.list(NODE, labels=f"{MASTER_LABEL}="))


def _read(client: Client, name: str, wanted: Wanted, named: ClusterObjects, problems: list[str]) -> None:
    try:
        found = client.get(wanted.kind, wanted.name, wanted.namespace)
    except errors.Transient:
        raise
    except errors.ApiError as error:
        if not (wanted.optional and isinstance(error, errors.NotFound)):
            problems.append(f"{wanted.problem}: {error}")
    else:
        named[name] = {"kind": wanted.kind.kind, **found}
