"""The health checks as data: what each looks at, when it applies, and what it says (post-pivot-and-rollback.md 10)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

from agent.ibu.health import checks
from agent.kube import Client, Kind, Object
from agent.velero.names import DATA_PROTECTION, OADP_NAMESPACE, STORAGE_LOCATION

Judge: TypeAlias = Callable[[Sequence[Object], datetime], str | None]
"""Returns the failure of the objects at a time, or None."""

CLUSTER_OPERATOR = Kind("config.openshift.io", "v1", "ClusterOperator")
MACHINE_CONFIG_POOL = Kind("machineconfiguration.openshift.io", "v1", "MachineConfigPool")
SRIOV_STATE = Kind("sriovnetwork.openshift.io", "v1", "SriovNetworkNodeState")
INFRASTRUCTURE = Kind("config.openshift.io", "v1", "Infrastructure")
NODE = Kind("", "v1", "Node")
SERVICE_VERSION = Kind("operators.coreos.com", "v1alpha1", "ClusterServiceVersion")
SIGNING_REQUEST = Kind("certificates.k8s.io", "v1", "CertificateSigningRequest")

_READ_OF_METADATA = ("name", "creationTimestamp")
_READ_OF_STATUS = ("phase", "syncStatus", "machineCount", "readyMachineCount")


@dataclass(frozen=True, slots=True)
class Check:
    """One row of the table.

    `reading` stands before an error of the API; `absent` is the failure when there is no object at all and there have
    to be some, "" where none is fine.
    """

    kind: Kind
    reading: str
    judge: Judge
    namespace: str | None = None
    absent: str = ""


def _at_any_time(check: Callable[[Sequence[Mapping[str, Any]]], str | None]) -> Judge:
    return lambda objects, _: check(objects)


CLUSTER_OPERATORS = Check(
    CLUSTER_OPERATOR,
    "failed to get co list",
    _at_any_time(checks.check_cluster_operators),
    absent="one or more ClusterOperators not yet ready: none is there yet",
)
MACHINE_CONFIG_POOLS = Check(
    MACHINE_CONFIG_POOL,
    "failed to get mcp list",
    _at_any_time(checks.check_machine_config_pools),
    absent="one or more MachineConfigPools not yet ready: none is there yet",
)
SRIOV_STATES = Check(SRIOV_STATE, "failed to get SriovNetworkNodeStates", _at_any_time(checks.check_sriov_states))
DATA_PROTECTIONS = Check(
    DATA_PROTECTION,
    "failed to list OADP DataProtectionApplication",
    _at_any_time(checks.check_data_protection),
    OADP_NAMESPACE,
)
STORAGE_LOCATIONS = Check(
    STORAGE_LOCATION,
    "failed to list BackupStorageLocations",
    _at_any_time(checks.check_storage_locations),
    OADP_NAMESPACE,
)
NODES = Check(
    NODE,
    "failed to get node list",
    _at_any_time(checks.check_nodes),
    absent="node is not yet ready: none is registered yet",
)
SERVICE_VERSIONS = Check(SERVICE_VERSION, "failed to get csv list", _at_any_time(checks.check_service_versions))
SIGNING_REQUESTS = Check(SIGNING_REQUEST, "failed to get csr list", checks.check_signing_requests)


def judge_check(check: Check, objects: Sequence[Object], now: datetime, *, required: bool) -> str | None:
    """Return the failure of `check`; `required`: an empty list is one, if the check says so."""
    if not objects and required and check.absent:
        return check.absent
    return check.judge(objects, now)


def is_single_node(client: Client) -> bool:
    """Say whether the nodes are looked at: only those of a single-node cluster are. Raises ApiError."""
    infrastructure = client.get(INFRASTRUCTURE, "cluster")
    return (infrastructure.get("status") or {}).get("infrastructureTopology") == "SingleReplica"


def reduce_object(obj: Object) -> Object:
    """Return what the checks look at: an object of OLM takes 100 kB, its phase a few bytes."""
    metadata, status = obj.get("metadata") or {}, obj.get("status") or {}
    roles = {key: "" for key in metadata.get("labels") or () if key.startswith("node-role.kubernetes.io/")}
    conditions = [
        {key: condition[key] for key in ("type", "status") if key in condition}
        for condition in status.get("conditions") or ()
    ]
    return {
        "metadata": {**{key: metadata[key] for key in _READ_OF_METADATA if key in metadata}, "labels": roles},
        "status": {**{key: status[key] for key in _READ_OF_STATUS if key in status}, "conditions": conditions},
    }
