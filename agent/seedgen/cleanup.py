"""Removes from the cluster what must not be in a seed (seed-image-and-gitops.md A.7 steps 7, 8, 10)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from datetime import timedelta

from agent.kube import Client, Kind, Object, errors
from agent.seedgen import messages
from agent.seedgen.context import Context
from agent.seedgen.kind import SECRET
from agent.workflow.outcome import Outcome

CRD = Kind("apiextensions.k8s.io", "v1", "CustomResourceDefinition")
NAMESPACE = Kind("", "v1", "Namespace")
POD = Kind("", "v1", "Pod")
CLUSTER_ROLE = Kind("rbac.authorization.k8s.io", "v1", "ClusterRole")
CLUSTER_ROLE_BINDING = Kind("rbac.authorization.k8s.io", "v1", "ClusterRoleBinding")
MACHINE_CONFIG = Kind("machineconfiguration.openshift.io", "v1", "MachineConfig")
POOL = Kind("machineconfiguration.openshift.io", "v1", "MachineConfigPool")

FAILED = "failed to cleanup resources"
_CRD_SUFFIX = ".open-cluster-management.io"
_AGENT_PREFIX = "open-cluster-management-agent"
_LIMIT = timedelta(minutes=15)
_KLUSTERLET_ROLES = (
    *("klusterlet", "klusterlet-bootstrap-kubeconfig"),
    "open-cluster-management:klusterlet-admin-aggregate-clusterrole",
)
_RENDERED = "rendered"


def remove_hub_definitions(context: Context) -> Outcome | None:
    """Remove the CRDs of Advanced Cluster Management, and with them their objects; wait until they are gone."""
    found = _named(context.ports.client.list(CRD), suffix=_CRD_SUFFIX)
    return _delete_and_wait(context, CRD, found, "timed out waiting for ACM CRD deletion", "remove_hub_definitions")


def remove_hub_namespaces(context: Context) -> Outcome | None:
    """Remove the namespaces of its agents; wait until they are gone."""
    found = _named(context.ports.client.list(NAMESPACE), prefix=_AGENT_PREFIX)
    return _delete_and_wait(
        context, NAMESPACE, found, "timed out waiting for ACM namespace deletion", "remove_hub_namespaces"
    )


def remove_hub_rest(context: Context) -> None:
    """Remove what else it leaves in a cluster that it has managed or installed."""
    client = context.ports.client
    _delete(client, NAMESPACE, "assisted-installer")
    for role in _KLUSTERLET_ROLES:
        _delete(client, CLUSTER_ROLE, role)
    _delete(client, CLUSTER_ROLE_BINDING, "klusterlet")
    _delete(client, SECRET, "observability-alertmanager-accessor", "openshift-monitoring")


def remove_ended_pods(context: Context) -> None:
    """Remove Pods that have run to their end, well or not."""
    client = context.ports.client
    for phase in ("Succeeded", "Failed"):
        for pod in client.list(POD, fields=f"status.phase={phase}"):
            with contextlib.suppress(errors.NotFound):
                client.delete(POD, pod["metadata"]["name"], pod["metadata"]["namespace"])


def remove_old_machine_configs(context: Context) -> None:
    """Remove rendered machine configs that no pool uses: they hold the cluster's earlier pull secrets and keys."""
    client = context.ports.client
    used = {
        ((pool.get(section) or {}).get("configuration") or {}).get("name")
        for pool in client.list(POOL)
        for section in ("spec", "status")
    }
    for config in _named(client.list(MACHINE_CONFIG), prefix=_RENDERED):
        if config not in used:
            with contextlib.suppress(errors.NotFound):
                client.delete(MACHINE_CONFIG, config)


def _delete_and_wait(context: Context, kind: Kind, names: list[str], late: str, step: str) -> Outcome | None:
    if not names:
        return None
    for name in names:
        _delete(context.ports.client, kind, name)
    pending = f"waiting for the deletion of {', '.join(names)}"
    late = f"{FAILED}: {late}: {pending}"
    return context.wait_at_most(step, _LIMIT, messages.waiting(messages.CLEANING, pending), late)


def _delete(client: Client, kind: Kind, name: str, namespace: str | None = None) -> None:
    """Delete an object after everything that it owns; absence is fine."""
    with contextlib.suppress(errors.NotFound):
        client.delete(kind, name, namespace, propagation="Foreground")


def _named(objects: Iterable[Object], prefix: str = "", suffix: str = "") -> list[str]:
    names = (str(obj["metadata"]["name"]) for obj in objects)
    return [name for name in names if name.startswith(prefix) and name.endswith(suffix)]
