"""The cluster of the recorded runs on a real API server, and changes of it that a test takes back."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import yaml

from agent.kube import Client, Kind, Object, errors
from sandbox.cluster.content.kinds import expand_kind
from tests.unit.seeds.certificates import make_certificate

RECORDED = yaml.safe_load((Path(__file__).parents[3] / "data/golden/upgrade-export.yaml").read_text())
INGRESS_CN = "ingress-operator@1700000000"
NAMESPACES = (*RECORDED["namespaces"], "openshift-storage", "apps")
NAMESPACE = Kind("", "v1", "Namespace")
CLUSTER_OPERATOR = Kind("config.openshift.io", "v1", "ClusterOperator")

_OPTIONAL_KINDS = (
    ("local.storage.openshift.io", "LocalVolume"),
    ("cert-manager.io", "Certificate"),
)


def optional_crds() -> list[Object]:
    """The CRDs of operators that a cluster may have besides."""
    return [expand_kind({"group": group, "namespaced": True}, {"kind": kind}) for group, kind in _OPTIONAL_KINDS]


class Cluster:
    """Writes objects as the administrator; `restore` takes everything back in reverse order."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self._before: list[tuple[Object, Object | None]] = []

    def install(self) -> None:
        """Create what every recorded run begins with."""
        for name in NAMESPACES:
            if self.client.find(NAMESPACE, name) is None:
                self.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        for recorded in RECORDED["objects"]:
            obj = copy.deepcopy(recorded)
            if obj["metadata"]["name"] == "router-ca":
                obj["stringData"]["tls.crt"] = make_certificate(INGRESS_CN)
            self.put(obj)

    def put(self, obj: Object) -> None:
        """Create the object, or replace it, with its status."""
        self._before.append((obj, self._find(obj)))
        self._write(obj)

    def delete(self, kind: Kind, name: str, namespace: str | None = None) -> None:
        """Delete an object."""
        found = self.client.get(kind, name, namespace)
        self._before.append((found, found))
        self.client.delete(kind, name, namespace)

    def patch(self, kind: Kind, name: str, patch: dict[str, Any], namespace: str | None = None) -> None:
        """Merge into an object."""
        found = self.client.get(kind, name, namespace)
        self._before.append((found, found))
        self.client.patch_merge(kind, name, patch, namespace)

    def set_status(self, kind: Kind, name: str, status: Object) -> None:
        """Set the status of a cluster-scoped object."""
        found = self.client.get(kind, name)
        self._before.append((found, found))
        self.client.update_status({**found, "status": status})

    def restore(self) -> None:
        """Take all changes back."""
        while self._before:
            changed, before = self._before.pop()
            if before is not None:
                self._write(before)
                continue
            try:
                self.client.delete(Kind.of(changed), changed["metadata"]["name"], changed["metadata"].get("namespace"))
            except errors.NotFound:
                continue

    def _find(self, obj: Object) -> Object | None:
        found = self.client.find(Kind.of(obj), obj["metadata"]["name"], obj["metadata"].get("namespace"))
        return {"apiVersion": obj["apiVersion"], "kind": obj["kind"], **found} if found else None

    def _write(self, obj: Object) -> None:
        found = self._find(obj)
        metadata = {
            k: v for k, v in obj["metadata"].items() if k not in ("resourceVersion", "uid", "creationTimestamp")
        }
        if found is None:
            found = self.client.create({**obj, "metadata": metadata})
        else:
            metadata["resourceVersion"] = found["metadata"]["resourceVersion"]
            found = self.client.update({**obj, "metadata": metadata})
        if obj.get("status") and "status" in self.client.resource(Kind.of(obj)).subresources:
            self.client.update_status({**found, "status": obj["status"]})
