"""The Operator Lifecycle Manager: what is installed succeeds, catalogs are ready. Nothing is really installed."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime

from agent.kube import Client, Kind, Object, errors
from sandbox.cluster.following import follow
from sandbox.cluster.kubelet.status import format_time

CLUSTER_SERVICE_VERSION = Kind("operators.coreos.com", "v1alpha1", "ClusterServiceVersion")
CATALOG_SOURCE = Kind("operators.coreos.com", "v1alpha1", "CatalogSource")


class LifecycleManager:
    """Gives objects of one kind the status that they come to have; only objects without status are touched."""

    def __init__(self, client: Client, kind: Kind, status_of: Callable[[str], Object]) -> None:
        self._client, self._kind, self._status_of = client, kind, status_of

    def run(self, stop: threading.Event) -> None:
        """Follow the objects until `stop`."""
        for event in follow(self._client, self._kind, stop):
            metadata = event.object["metadata"]
            if event.type == "DELETED" or event.object.get("status") or "deletionTimestamp" in metadata:
                continue
            status = self._status_of(format_time(datetime.now(UTC)))
            try:
                self._client.patch_merge(
                    self._kind, metadata["name"], {"status": status}, metadata["namespace"], subresource="status"
                )
            except errors.NotFound:
                continue  # deleted meanwhile


def succeeded(now: str) -> Object:
    """Status of an installed ClusterServiceVersion."""
    message = "install strategy completed with no errors"
    return {
        "phase": "Succeeded",
        "reason": "InstallSucceeded",
        "message": message,
        "lastTransitionTime": now,
        "lastUpdateTime": now,
        "conditions": [
            {"phase": "Succeeded", "reason": "InstallSucceeded", "message": message, "lastTransitionTime": now}
        ],
    }


def ready(now: str) -> Object:
    """Status of a CatalogSource that serves."""
    return {"connectionState": {"lastObservedState": "READY", "lastConnect": now}}
