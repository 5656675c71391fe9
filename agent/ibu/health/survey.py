"""Reads the objects that the health checks look at and runs the checks in their two groups (prep.md 3)."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from agent.ibu.health import checks
from agent.kube import Client, Kind
from agent.kube.errors import ApiError

OADP_NAMESPACE = "openshift-adp"

CLUSTER_OPERATOR = Kind("config.openshift.io", "v1", "ClusterOperator")
MACHINE_CONFIG_POOL = Kind("machineconfiguration.openshift.io", "v1", "MachineConfigPool")
SRIOV_STATE = Kind("sriovnetwork.openshift.io", "v1", "SriovNetworkNodeState")
DATA_PROTECTION = Kind("oadp.openshift.io", "v1alpha1", "DataProtectionApplication")
STORAGE_LOCATION = Kind("velero.io", "v1", "BackupStorageLocation")
INFRASTRUCTURE = Kind("config.openshift.io", "v1", "Infrastructure")
NODE = Kind("", "v1", "Node")
SERVICE_VERSION = Kind("operators.coreos.com", "v1alpha1", "ClusterServiceVersion")
SIGNING_REQUEST = Kind("certificates.k8s.io", "v1", "CertificateSigningRequest")


def find_health_failure(client: Client) -> str | None:
    """Return the text of all failed checks, or None when the cluster is stable.

    The second group runs only when the first passes. An object that can not be read is a failed check: the caller waits
    and looks again.
    """
    failures = list(_check_platform(client)) or list(_check_rest(client))
    return checks.format_failures(failures) if failures else None


def _check_platform(client: Client) -> Iterator[str]:
    operators = _attempt("failed to get co list", lambda: checks.check_cluster_operators(client.list(CLUSTER_OPERATOR)))
    yield from operators
    yield from _attempt(
        "failed to get mcp list", lambda: checks.check_machine_config_pools(client.list(MACHINE_CONFIG_POOL))
    )
    if not operators:
        yield from _attempt("failed to get SriovNetworkNodeState list", lambda: _check_sriov(client))
        yield from _attempt("failed to get OADP objects", lambda: _check_oadp(client))


def _check_rest(client: Client) -> Iterator[str]:
    yield from _attempt("failed to get infrastucture CR", lambda: _check_single_node(client))
    yield from _attempt("failed to get csv list", lambda: checks.check_service_versions(client.list(SERVICE_VERSION)))
    yield from _attempt("failed to get csr list", lambda: checks.check_signing_requests(client.list(SIGNING_REQUEST)))


def _attempt(reading: str, check: Callable[[], str | None]) -> list[str]:
    try:
        failure = check()
    except ApiError as error:
        failure = f"{reading}: {error}"
    return [failure] if failure else []


def _check_sriov(client: Client) -> str | None:
    return checks.check_sriov_states(client.list(SRIOV_STATE)) if client.serves(SRIOV_STATE) else None


def _check_oadp(client: Client) -> str | None:
    if not client.serves(DATA_PROTECTION):
        return None
    applications = client.list(DATA_PROTECTION, OADP_NAMESPACE)
    if not applications:
        return None
    failure = checks.check_data_protection(applications)
    return failure or checks.check_storage_locations(client.list(STORAGE_LOCATION, OADP_NAMESPACE))


def _check_single_node(client: Client) -> str | None:
    infrastructure = client.get(INFRASTRUCTURE, "cluster")
    if (infrastructure.get("status") or {}).get("infrastructureTopology") != "SingleReplica":
        return None
    return checks.check_nodes(client.list(NODE))
