"""The Machine Config Operator: pools, the node's annotations, and the pull secret on the node's disk."""

from __future__ import annotations

import base64
import hashlib
import threading
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from agent.kube import Client, Kind, Object, errors
from hostops.files import make_directory, write_atomically
from sandbox.cluster.config import ClusterConfig
from sandbox.cluster.following import follow
from sandbox.cluster.kubelet.node import NODE
from sandbox.cluster.kubelet.status import format_time
from sandbox.cluster.operators.health import set_times

POOL = Kind("machineconfiguration.openshift.io", "v1", "MachineConfigPool")
MACHINE_CONFIG = Kind("machineconfiguration.openshift.io", "v1", "MachineConfig")
SECRET = Kind("", "v1", "Secret")
_MACHINES = {"master": 1, "worker": 0}
_PREFIX = "machineconfiguration.openshift.io"


class MachineConfigOperator:
    """Keeps the pools' status plausible and rolls a changed pull secret out to the node."""

    def __init__(self, client: Client, config: ClusterConfig) -> None:
        self._client, self._config = client, config
        self._pull_secret_file = config.node_root / "var/lib/kubelet/config.json"

    def run(self, stop: threading.Event) -> None:
        """Follow the pull secret until `stop`."""
        for name in _MACHINES:
            self._show_pool(name, updated=True)
        self._annotate_node()
        for event in follow(self._client, SECRET, stop, "openshift-config", name="pull-secret"):
            if event.type != "DELETED":
                self._roll_out(event.object, stop)

    def _roll_out(self, secret: Object, stop: threading.Event) -> None:
        wanted = base64.b64decode((secret.get("data") or {}).get(".dockerconfigjson", ""))
        if not wanted or _read(self._pull_secret_file).strip() == wanted.strip():
            return
        self._render("master", wanted)
        self._show_pool("master", updated=False)
        stop.wait(self._config.operator_seconds)
        make_directory(self._pull_secret_file.parent, 0o700)
        write_atomically(self._pull_secret_file, wanted, 0o600)
        self._annotate_node()
        self._show_pool("master", updated=True)

    def _render(self, pool_name: str, pull_secret: bytes) -> None:
        """Make the pool's next rendered configuration and let the pool point to it."""
        pool = self._client.get(POOL, pool_name)
        current = self._client.get(MACHINE_CONFIG, pool["spec"]["configuration"]["name"])
        content = current["metadata"]["name"].encode() + pull_secret
        name = f"rendered-{pool_name}-{hashlib.sha256(content).hexdigest()[:32]}"
        rendered = {
            "apiVersion": MACHINE_CONFIG.api_version,
            "kind": MACHINE_CONFIG.kind,
            "metadata": {"name": name},
            "spec": current["spec"],
        }
        with suppress(errors.AlreadyExists):  # rolled out before, or begun before a reboot
            self._client.create(rendered)
        self._client.patch_merge(POOL, pool_name, {"spec": {"configuration": {"name": name}}})

    def _show_pool(self, name: str, *, updated: bool) -> None:
        pool = self._client.find(POOL, name)
        if pool is None:
            return
        machines, now = _MACHINES[name], format_time(datetime.now(UTC))
        before = pool.get("status") or {}
        known = before.get("conditions") or []
        rendered = pool["spec"]["configuration"]["name"]
        running = (before.get("configuration") or {}).get("name", rendered)
        truths = {"Updated": updated, "Updating": not updated, "Degraded": False, "NodeDegraded": False}
        conditions = [{"type": kind, "status": str(is_true), "reason": ""} for kind, is_true in truths.items()]
        status = {
            "conditions": [set_times(condition, known, now) for condition in conditions],
            "configuration": {"name": rendered if updated else running},
            "machineCount": machines,
            "readyMachineCount": machines if updated else 0,
            "updatedMachineCount": machines if updated else 0,
            "unavailableMachineCount": 0 if updated else machines,
            "degradedMachineCount": 0,
        }
        self._client.patch_merge(POOL, name, {"status": status}, subresource="status")

    def _annotate_node(self) -> None:
        pool = self._client.get(POOL, "master")
        rendered = pool["spec"]["configuration"]["name"]
        annotations = {
            f"{_PREFIX}/currentConfig": rendered,
            f"{_PREFIX}/desiredConfig": rendered,
            f"{_PREFIX}/state": "Done",
        }
        self._client.patch_merge(NODE, self._config.node_name, {"metadata": {"annotations": annotations}})


def _read(path: Path) -> bytes:
    return path.read_bytes() if path.exists() else b""
