"""The health checks themselves: pure functions from objects to a failure text or None (prep.md 3)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

Object = dict[str, Any]

OWN_CSV_PART = "lifecycle-agent"
NODE_ROLES = ("control-plane", "master", "worker")
UNHEARD_REQUEST_AGE = timedelta(hours=1)
"""Nobody waits for a certificate that long: the kubelet asks anew after 15 minutes, the approver ignores older ones."""


def check_cluster_operators(operators: Iterable[Mapping[str, Any]]) -> str | None:
    """Every operator is available, not progressing and not degraded."""

    def is_ready(operator: Mapping[str, Any]) -> bool:
        conditions = read_conditions(operator)
        return (
            conditions.get("Available") == "True"
            and conditions.get("Progressing") != "True"
            and conditions.get("Degraded") != "True"
        )

    return _name_unready("ClusterOperators", operators, is_ready)


def check_machine_config_pools(pools: Iterable[Mapping[str, Any]]) -> str | None:
    """Every pool has as many ready machines as machines, and is not degraded."""

    def is_ready(pool: Mapping[str, Any]) -> bool:
        status = pool.get("status") or {}
        ready = status.get("machineCount", 0) == status.get("readyMachineCount", 0)
        return bool(ready) and read_conditions(pool).get("Degraded") != "True"

    return _name_unready("MachineConfigPools", pools, is_ready)


def check_sriov_states(states: Sequence[Mapping[str, Any]]) -> str | None:
    """There is a node state, and each is synchronised."""
    if not states:
        return "no SriovNetworkNodeStates present"
    if any((state.get("status") or {}).get("syncStatus") != "Succeeded" for state in states):
        return "sriovNetworkNodeState not ready"
    return None


def check_data_protection(applications: Sequence[Mapping[str, Any]]) -> str | None:
    """Where OADP is configured, at least one DataProtectionApplication is reconciled."""
    if not applications or any(read_conditions(a).get("Reconciled") == "True" for a in applications):
        return None
    return "dataProtectionApplication not reconciled"


def check_storage_locations(locations: Sequence[Mapping[str, Any]]) -> str | None:
    """There is a backup storage location, and each is available."""
    if not locations:
        return "backupsStorageLocations not yet created"
    for location in locations:
        if (location.get("status") or {}).get("phase") != "Available":
            return f"backupStorageLocation {get_name(location)} not available"
    return None


def check_nodes(nodes: Iterable[Mapping[str, Any]]) -> str | None:
    """Each node is ready, its network available, and it carries the three role labels."""
    for node in nodes:
        name, conditions = get_name(node), read_conditions(node)
        if conditions.get("Ready") != "True":
            return f"node is not yet ready: {name}"
        if conditions.get("NetworkUnavailable") == "True":
            return f"node network unavailable: {name}"
        labels = (node.get("metadata") or {}).get("labels") or {}
        for role in NODE_ROLES:
            if f"node-role.kubernetes.io/{role}" not in labels:
                return f"node missing node-role.kubernetes.io/{role} label: {name}"
    return None


def check_service_versions(versions: Iterable[Mapping[str, Any]]) -> str | None:
    """Every installed operator but this one has succeeded."""

    def is_ready(version: Mapping[str, Any]) -> bool:
        own = OWN_CSV_PART in get_name(version)
        return own or bool((version.get("status") or {}).get("phase") == "Succeeded")

    return _name_unready("ClusterServiceVersions", versions, is_ready)


def check_signing_requests(requests: Iterable[Mapping[str, Any]], now: datetime) -> str | None:
    """Every certificate signing request is approved, but for those that were denied, failed, or forgotten."""
    for request in requests:
        conditions = read_conditions(request)
        answered = "True" in (conditions.get("Approved"), conditions.get("Denied"), conditions.get("Failed"))
        if not answered and not _is_forgotten(request, now):
            return f"certificateSigningRequest (csr) {get_name(request)} not yet approved"
    return None


def format_failures(failures: Sequence[str]) -> str:
    """Return the text users see for one or more failed checks; the first failure stands on the first line."""
    return "one or more health checks failed: " + "\n  - ".join(failures)


def read_conditions(obj: Mapping[str, Any]) -> dict[str, str]:
    """Return condition type -> status (`True`, `False`, `Unknown`) of any object."""
    conditions = (obj.get("status") or {}).get("conditions") or ()
    return {c["type"]: c.get("status", "") for c in conditions if "type" in c}


def get_name(obj: Mapping[str, Any]) -> str:
    """Return the name of an object."""
    return str((obj.get("metadata") or {}).get("name", ""))


def _name_unready(
    kinds: str, objects: Iterable[Mapping[str, Any]], is_ready: Callable[[Mapping[str, Any]], bool]
) -> str | None:
    """Each name counts once: an operator's ClusterServiceVersion is copied to every namespace."""
    unready = dict.fromkeys(get_name(obj) for obj in objects if not is_ready(obj))
    return f"one or more {kinds} not yet ready: {', '.join(unready)}" if unready else None


def _is_forgotten(request: Mapping[str, Any], now: datetime) -> bool:
    created = (request.get("metadata") or {}).get("creationTimestamp")
    return bool(created) and now - datetime.fromisoformat(str(created)) > UNHEARD_REQUEST_AGE
