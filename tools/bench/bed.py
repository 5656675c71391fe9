"""Where the operator is measured: a scratch host, and a control plane whose audit log counts the requests."""

from __future__ import annotations

import json
import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.kube import Client, Kind, Object
from sandbox.cluster.content.kinds import crd_documents
from sandbox.controlplane import ControlPlane
from tools.operator_process import OperatorProcess, ScratchHost

IBU = Kind("lca.openshift.io", "v1", "ImageBasedUpgrade")
NAMESPACE = "openshift-lifecycle-agent"
CURRENT_VERSION = "4.15.0"
OPERATOR = "operator-under-measurement"
_AUDIT_POLICY = {"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": [{"level": "Metadata"}]}
_QUIET_SHARE = 0.03
_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")

# What the checks of Prep read, in a state in which they pass.
_CLUSTER: tuple[Object, ...] = (
    {
        "apiVersion": "config.openshift.io/v1",
        "kind": "ClusterVersion",
        "metadata": {"name": "version"},
        "spec": {"clusterID": "bench"},
        "status": {"desired": {"version": CURRENT_VERSION}},
    },
    {
        "apiVersion": "config.openshift.io/v1",
        "kind": "Infrastructure",
        "metadata": {"name": "cluster"},
        "spec": {},
        "status": {"infrastructureTopology": "HighlyAvailable"},
    },
)


@dataclass(frozen=True, slots=True)
class Bed:
    """The control plane's client, the host, and the operator, which is not started yet."""

    client: Client
    host: ScratchHost
    operator: OperatorProcess
    audit_log: Path

    def count_requests(self) -> int:
        """Return how many requests of the operator were answered, or opened a stream, so far."""
        records = (json.loads(line) for line in self.audit_log.read_text().splitlines())
        mine = (record for record in records if record["user"]["username"] == OPERATOR)
        return len({record["auditID"] for record in mine})


@contextmanager
def make_bed() -> Iterator[Bed]:
    """Start a control plane with the kinds of a sandbox, and wait until it has digested them."""
    with tempfile.TemporaryDirectory(prefix="bench-operator-") as directory:
        folder = Path(directory)
        (folder / "audit.json").write_text(json.dumps(_AUDIT_POLICY))
        audit_log = folder / "audit.log"
        flags = {"audit-policy-file": str(folder / "audit.json"), "audit-log-path": str(audit_log)}
        with ControlPlane(folder / "plane", api_flags=flags) as plane, Client.connect(plane.admin_kubeconfig) as client:
            _install(client)
            kubeconfig = folder / "operator.kubeconfig"
            plane.write_kubeconfig(kubeconfig, OPERATOR, ("system:masters",))
            _await_quiet(plane.pids.values())
            host = ScratchHost(folder / "host")
            operator = OperatorProcess(host, kubeconfig)
            try:
                yield Bed(client, host, operator, audit_log)
            finally:
                operator.kill()


def read_cpu_seconds(pid: int) -> float:
    """Return the processor time that a process has taken."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_SECOND


def _install(client: Client) -> None:
    for document in crd_documents():
        client.create(document)
    client.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
    for kind in (IBU, *map(Kind.of, _CLUSTER)):
        deadline = time.monotonic() + 60
        while not client.serves(kind):
            if time.monotonic() > deadline:
                raise TimeoutError(f"the control plane does not serve {kind}")
            time.sleep(0.05)
    for obj in _CLUSTER:
        client.update_status({**client.create(obj), "status": obj["status"]})


def _await_quiet(pids: Iterable[int]) -> None:
    """New kinds keep an API server busy for a while, because it describes them anew with each one."""
    deadline = time.monotonic() + 180
    before = float("-inf")
    while (now := sum(map(read_cpu_seconds, pids))) - before > _QUIET_SHARE:
        if time.monotonic() > deadline:
            raise TimeoutError("the control plane does not come to rest")
        before = now
        time.sleep(1)


def is_idle(obj: Object) -> bool:
    """Tell whether the resource waits for a wish."""
    conditions = obj.get("status", {}).get("conditions") or [{}]
    return conditions[-1].get("type") == "Idle" and conditions[-1].get("status") == "True"


class Follower:
    """Follows the resource in a thread and notes when each version arrived."""

    def __init__(self, client: Client) -> None:
        self._watch = client.watch(IBU, name="upgrade", timeout_seconds=60)
        self._seen: list[tuple[float, dict[str, Any]]] = []
        self._arrived = threading.Condition()
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._thread.start()

    def _follow(self) -> None:
        for event in self._watch:
            with self._arrived:
                self._seen.append((time.perf_counter(), event.object))
                self._arrived.notify_all()

    def wait_for(self, matches: Callable[[Object], bool]) -> float:
        """Return when the first version that matches arrived (seconds of `perf_counter`)."""
        with self._arrived:
            if not self._arrived.wait_for(lambda: any(matches(obj) for _, obj in self._seen), timeout=60):
                raise TimeoutError(f"the resource did not become what was waited for: {self._seen[-1:]}")
            return next(moment for moment, obj in self._seen if matches(obj))

    def run_until(self, matches: Callable[[Object], bool]) -> None:
        """Wait and stop following."""
        self.wait_for(matches)
        self.close()

    def close(self) -> None:
        """Stop following."""
        self._watch.stop()
        self._thread.join()
