"""Binds Pods to the one node there is."""

from __future__ import annotations

import logging
from datetime import UTC, datetime

from agent.kube import Client, Kind, Object, errors
from sandbox.cluster.kubelet.node import NODE
from sandbox.cluster.kubelet.status import format_time

_POD = Kind("", "v1", "Pod")
_CLAIM = Kind("", "v1", "PersistentVolumeClaim")
_SELECTED = "volume.kubernetes.io/selected-node"

_log = logging.getLogger(__name__)


class Scheduler:
    """Plays the scheduler for one node: only a node selector can keep a Pod away from it."""

    def __init__(self, client: Client, node_name: str) -> None:
        self._client, self._node = client, node_name

    def place(self, pod: Object) -> None:
        """Bind the Pod, or say in its status why it can not be."""
        metadata = pod["metadata"]
        wanted = pod["spec"].get("nodeSelector") or {}
        labels = self._client.get(NODE, self._node)["metadata"].get("labels") or {}
        if missing := [f"{key}={value}" for key, value in wanted.items() if labels.get(key) != value]:
            self._refuse(pod, f"0/1 nodes are available: the node has no label {', '.join(missing)}")
            return
        try:
            self._select_for_claims(pod)
            self._client.request(
                "POST",
                f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}/binding",
                body={
                    "apiVersion": "v1",
                    "kind": "Binding",
                    "metadata": {"name": metadata["name"], "uid": metadata["uid"]},
                    "target": {"apiVersion": "v1", "kind": "Node", "name": self._node},
                },
            )
        except (errors.NotFound, errors.Conflict, errors.AlreadyExists) as error:
            _log.info("pod %s/%s is not bound: %s", metadata["namespace"], metadata["name"], error)

    def _select_for_claims(self, pod: Object) -> None:
        """Tell provisioners that wait for the first consumer where the volume is needed."""
        namespace = pod["metadata"]["namespace"]
        for volume in pod["spec"].get("volumes") or []:
            name = (volume.get("persistentVolumeClaim") or {}).get("claimName")
            claim = self._client.find(_CLAIM, name, namespace) if name else None
            if (
                claim
                and not claim["spec"].get("volumeName")
                and _SELECTED not in claim["metadata"].get("annotations", {})
            ):
                patch = {"metadata": {"annotations": {_SELECTED: self._node}}}
                self._client.patch_merge(_CLAIM, claim["metadata"]["name"], patch, namespace)

    def _refuse(self, pod: Object, message: str) -> None:
        now = format_time(datetime.now(UTC))
        condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}
        known = pod["status"].get("conditions") or []
        if any(c["type"] == "PodScheduled" and c.get("message") == message for c in known):
            return
        patch = {"status": {"conditions": [{**condition, "lastTransitionTime": now}]}}
        self._client.patch_merge(
            _POD, pod["metadata"]["name"], patch, pod["metadata"]["namespace"], subresource="status"
        )
