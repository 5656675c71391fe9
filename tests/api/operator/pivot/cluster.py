"""The objects of a single-node OpenShift cluster that the health checks look at."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from agent.kube import Client, Kind, errors

CLUSTER_OPERATOR = Kind("config.openshift.io", "v1", "ClusterOperator")
POOL = Kind("machineconfiguration.openshift.io", "v1", "MachineConfigPool")
INFRASTRUCTURE = Kind("config.openshift.io", "v1", "Infrastructure")
CLUSTER_VERSION = Kind("config.openshift.io", "v1", "ClusterVersion")
NODE = Kind("", "v1", "Node")
CLUSTER_ID = "11111111-2222-3333-4444-555555555555"
OPERATORS = ("etcd", "kube-apiserver", "network")

Object = dict[str, Any]


def make_object(kind: Kind, name: str, *, namespace: str = "", status: Object | None = None, **parts: Any) -> Object:
    metadata = {"name": name, **({"namespace": namespace} if namespace else {}), **parts.pop("metadata", {})}
    body = {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": metadata, **parts}
    return body if status is None else {**body, "status": status}


def list_conditions(**conditions: str) -> list[dict[str, str]]:
    rest = {"reason": "AsTold", "message": "as told", "lastTransitionTime": "2026-01-01T00:00:00Z"}
    return [{"type": type_, "status": status, **rest} for type_, status in conditions.items()]


HEALTHY = {"conditions": list_conditions(Available="True", Progressing="False", Degraded="False")}
UNHEALTHY = {"conditions": list_conditions(Available="False", Progressing="True", Degraded="False")}
ROLES = {f"node-role.kubernetes.io/{role}": "" for role in ("control-plane", "master", "worker")}
OBJECTS = (
    *(make_object(CLUSTER_OPERATOR, name, status=HEALTHY) for name in OPERATORS),
    make_object(POOL, "master", status={"machineCount": 1, "readyMachineCount": 1}),
    make_object(POOL, "worker", status={"machineCount": 0, "readyMachineCount": 0}),
    make_object(INFRASTRUCTURE, "cluster", status={"infrastructureTopology": "SingleReplica"}),
    make_object(CLUSTER_VERSION, "version", spec={"clusterID": CLUSTER_ID}),
    make_object(NODE, "sno1", metadata={"labels": ROLES}, status={"conditions": list_conditions(Ready="True")}),
)


def make_healthy(client: Client) -> None:
    for obj in OBJECTS:
        put(client, obj)


def remove_objects(client: Client) -> None:
    for obj in OBJECTS:
        remove(client, obj)


def put(client: Client, obj: Object) -> None:
    """Create an object with its status, whether its kind has a status of its own or not."""
    created = client.create(obj)
    if obj.get("status") and created.get("status") != obj["status"]:
        client.update_status({**created, "status": obj["status"]})


def remove(client: Client, obj: Object) -> None:
    with suppress(errors.NotFound):
        client.delete(Kind.of(obj), obj["metadata"]["name"], obj["metadata"].get("namespace"))
