"""Network policies of the operator's namespace, which denies everything by default (ibu-api.md 10.5)."""

from __future__ import annotations

import logging
from typing import Any

from agent.ibu.prep.jobs import PRECACHE_JOB, STATEROOT_JOB
from agent.kube import Client, Kind, Object, errors

log = logging.getLogger(__name__)

NETWORK_POLICY = Kind("networking.k8s.io", "v1", "NetworkPolicy")
_POD = Kind("", "v1", "Pod")
_METRICS_POLICY = "controller-manager-metrics"
_OWNER_FIELDS = ("apiVersion", "kind", "name", "uid", "controller")


def make_policies(namespace: str, metrics_port: int | None, owner: Object | None) -> list[Object]:
    """Return the policies: the metrics port is open (None: metrics are off), the Jobs of Prep may reach registries."""
    ingress = {
        "podSelector": {"matchLabels": {"control-plane": "controller-manager"}},
        "policyTypes": ["Ingress"],
        "ingress": [{"ports": [{"protocol": "TCP", "port": metrics_port}]}],
    }
    policies = [] if metrics_port is None else [_make_policy(_METRICS_POLICY, namespace, ingress, owner)]
    for job in (STATEROOT_JOB, PRECACHE_JOB):
        egress = {"podSelector": {"matchLabels": {"job-name": job}}, "policyTypes": ["Egress"], "egress": [{}]}
        policies.append(_make_policy(job, namespace, egress, owner))
    return policies


def find_owner(client: Client, namespace: str, pod_name: str | None) -> Object | None:
    """Return the first owner of our own Pod, as an owner reference; None outside a pod."""
    pod = client.find(_POD, pod_name, namespace) if pod_name else None
    references = (pod or {}).get("metadata", {}).get("ownerReferences") or []
    return {key: references[0][key] for key in _OWNER_FIELDS if key in references[0]} if references else None


def ensure_policies(client: Client, policies: list[Object]) -> None:
    """Create what is missing and correct what differs: an old policy must not keep a new port closed."""
    for policy in policies:
        name, namespace = policy["metadata"]["name"], policy["metadata"]["namespace"]
        try:
            client.create(policy)
        except errors.AlreadyExists:
            existing = client.get(NETWORK_POLICY, name, namespace)
            if existing.get("spec") != policy["spec"]:
                client.update({**existing, "spec": policy["spec"]})
                log.info("network policy corrected", extra={"policy": name, "namespace": namespace})


def log_policies(client: Client, namespace: str) -> None:
    """Name the policies in force: they explain why a connection does not work."""
    names = [policy["metadata"]["name"] for policy in client.list(NETWORK_POLICY, namespace)]
    log.info("network policies in force", extra={"namespace": namespace, "policies": ", ".join(names)})


def _make_policy(name: str, namespace: str, spec: dict[str, Any], owner: Object | None) -> Object:
    metadata: Object = {"name": name, "namespace": namespace}
    if owner is not None:
        metadata["ownerReferences"] = [owner]
    return {
        "apiVersion": NETWORK_POLICY.api_version,
        "kind": NETWORK_POLICY.kind,
        "metadata": metadata,
        "spec": spec,
    }
