"""The Node object: registered at the start, made ready when Pods can run, its heartbeat kept going."""

from __future__ import annotations

import os
import platform
import threading
from datetime import UTC, datetime
from pathlib import Path

from agent.kube import Client, Kind, Object, errors
from sandbox.cluster.config import ClusterConfig
from sandbox.cluster.kubelet.status import format_time

NODE = Kind("", "v1", "Node")
_HEARTBEAT_SECONDS = 300.0
_ROLES = ("control-plane", "master", "worker")
_PRESSURES = {
    "MemoryPressure": "KubeletHasSufficientMemory",
    "DiskPressure": "KubeletHasNoDiskPressure",
    "PIDPressure": "KubeletHasSufficientPID",
    "NetworkUnavailable": "NetworkReady",
}


def allocatable() -> dict[str, str]:
    """What Pods may use of this machine."""
    memory_kib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 1024
    return {"cpu": str(os.cpu_count() or 1), "memory": f"{memory_kib}Ki", "pods": "250", "ephemeral-storage": "100Gi"}


class NodeObject:
    """This node in the API."""

    def __init__(self, client: Client, config: ClusterConfig, kubelet_port: int) -> None:
        self._client, self._config, self._port = client, config, kubelet_port

    def register(self) -> None:
        """Create the Node if it is not there, not ready yet; labels and annotations that it has are kept."""
        name = self._config.node_name
        roles = {f"node-role.kubernetes.io/{role}": "" for role in _ROLES}
        machine = {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64"}
        labels = {**machine, "node.openshift.io/os_id": "rhcos", **roles}
        node: Object = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": labels}}
        try:
            self._client.create(node)
        except errors.AlreadyExists:
            self._client.patch_merge(NODE, name, {"metadata": {"labels": labels}})
        self._report(ready=False)

    def run(self, stop: threading.Event) -> None:
        """Make the node ready and keep it so until `stop`."""
        while not stop.is_set():
            self._report(ready=True)
            stop.wait(_HEARTBEAT_SECONDS)

    def _report(self, *, ready: bool) -> None:
        name = self._config.node_name
        node = self._client.get(NODE, name)
        if ready and node["spec"].get("taints"):  # the server taints new nodes; a controller would take that back
            own = [taint for taint in node["spec"]["taints"] if not taint["key"].startswith("node.kubernetes.io/")]
            self._client.patch_merge(NODE, name, {"spec": {"taints": own or None}})
        status = self._status(node.get("status") or {}, ready=ready)
        self._client.patch_merge(NODE, name, {"status": status}, subresource="status")

    def _status(self, before: Object, *, ready: bool) -> Object:
        now = format_time(datetime.now(UTC))
        known = {condition["type"]: condition for condition in before.get("conditions") or []}

        def condition(kind: str, status: str, reason: str) -> Object:
            same = known.get(kind, {}).get("status") == status
            since = known[kind].get("lastTransitionTime") if same else now
            times = {"lastHeartbeatTime": now, "lastTransitionTime": since}
            return {"type": kind, "status": status, "reason": reason, "message": reason, **times}

        conditions = [condition(kind, "False", reason) for kind, reason in _PRESSURES.items()]
        conditions.append(condition("Ready", *(("True", "KubeletReady") if ready else ("False", "KubeletNotReady"))))
        return {
            "conditions": conditions,
            "capacity": allocatable(),
            "allocatable": allocatable(),
            "addresses": [
                {"type": "InternalIP", "address": self._config.node_ip},
                {"type": "Hostname", "address": self._config.node_name},
                {"type": "ExternalIP", "address": "127.0.0.1"},  # where the API server finds the kubelet
            ],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": self._port}},
            "nodeInfo": self._node_info(),
        }

    def _node_info(self) -> Object:
        release = _read_os_release(self._config.node_root)
        return {
            "architecture": "amd64",
            "bootID": Path("/proc/sys/kernel/random/boot_id").read_text().strip(),
            "containerRuntimeVersion": "bubblewrap://sandbox",
            "kernelVersion": platform.release(),
            "kubeProxyVersion": self._client.version()["gitVersion"],
            "kubeletVersion": self._client.version()["gitVersion"],
            "machineID": self._config.cluster_id.replace("-", ""),
            "operatingSystem": "linux",
            "osImage": release.get("PRETTY_NAME", "sandbox"),
            "systemUUID": self._config.cluster_id,
        }


def _read_os_release(root: Path) -> dict[str, str]:
    for path in (root / "etc/os-release", root / "usr/lib/os-release"):
        if path.exists():
            pairs = (line.partition("=") for line in path.read_text().splitlines())
            return {key: value.strip('"') for key, _, value in pairs if key}
    return {}
