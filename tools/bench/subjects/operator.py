"""The whole operator as a process: start, reaction to a patch, and what it costs to have it idle.

Where nothing smaller could do the job, the figures of the original operator (Go), taken on a machine like this one,
stand in the place of the floor.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from agent.kube import Client, Kind
from sandbox.cluster.content.kinds import crd_documents
from sandbox.controlplane import ControlPlane
from tools.bench.measure import Figure
from tools.operator_process import OperatorProcess, ScratchHost

IBU = Kind("lca.openshift.io", "v1", "ImageBasedUpgrade")
ORIGINAL = "the original operator"
RUNS = 20
IDLE_SECONDS = 60.0
IDLE_WINDOWS = 3
_IDLE = {
    "resident memory": ("MB", 69.0),
    "of it anonymous": ("MB", 15.0),
    "processor time a minute": ("s", 0.035),
    "API requests a minute": ("", 1.25),
}
_USER = "operator-under-measurement"
_AUDIT_POLICY = {"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": [{"level": "Metadata"}]}


def measure() -> Iterator[Figure]:
    """Measure on a control plane of its own, whose audit log counts the requests."""
    with tempfile.TemporaryDirectory(prefix="bench-operator-") as directory:
        folder = Path(directory)
        (folder / "audit.json").write_text(json.dumps(_AUDIT_POLICY))
        audit_log = folder / "audit.log"
        flags = {"audit-policy-file": str(folder / "audit.json"), "audit-log-path": str(audit_log)}
        with ControlPlane(folder / "plane", api_flags=flags) as plane, Client.connect(plane.admin_kubeconfig) as client:
            _install(client)
            kubeconfig = folder / "operator.kubeconfig"
            plane.write_kubeconfig(kubeconfig, _USER, ("system:masters",))
            host = ScratchHost(folder / "host")
            operator = OperatorProcess(host, kubeconfig)
            try:
                yield _measure_start(client, operator)
                yield from _measure_reactions(client, host)
                yield from _measure_idle(operator, audit_log)
            finally:
                operator.kill()


def _install(client: Client) -> None:
    for document in crd_documents():
        client.create(document)
    client.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "openshift-lifecycle-agent"}})
    while not client.serves(IBU):
        time.sleep(0.05)


def _measure_start(client: Client, operator: OperatorProcess) -> Figure:
    """From exec to the created resource; the last run stays."""
    samples = []
    for run in range(5):
        if run:
            operator.kill()
            client.delete(IBU, "upgrade")
        with contextlib.closing(Follower(client)) as follower:
            started = time.perf_counter()
            operator.start()
            samples.append(follower.wait_for(lambda obj: True) - started)
    Follower(client).run_until(lambda obj: bool(obj.get("status")))
    return Figure("start to resource created", ORIGINAL, "s", tuple(samples), (0.13,))


def _measure_reactions(client: Client, host: ScratchHost) -> Iterator[Figure]:
    """From the sent patch to the event of the first status write; the floor does the same by hand."""
    floor = tuple(_time_floor(client, host) for _ in range(RUNS))
    requests = {
        "patch to status: edit while idle": {"seedImageRef": {"version": "4.0.0", "image": "quay.io/org/seed:1"}},
        "patch to status: Prep begins": {"stage": "Prep"},
        "patch to status: abort begins": {"stage": "Idle"},
    }
    samples: dict[str, list[float]] = {name: [] for name in requests}
    for run in range(RUNS):
        for name, spec in requests.items():
            changed = {**spec, "autoRollbackOnFailure": {"initMonitorTimeoutSeconds": run}} if "edit" in name else spec
            samples[name].append(_time_reaction(client, changed))
        Follower(client).run_until(_is_idle)
    for name, taken in samples.items():
        yield Figure(name, "read, rpm-ostree, write by hand", "ms", tuple(taken), floor)


def _time_reaction(client: Client, spec: dict[str, Any]) -> float:
    with contextlib.closing(Follower(client)) as follower:
        sent = time.perf_counter()
        generation = client.patch_merge(IBU, "upgrade", {"spec": spec})["metadata"]["generation"]
        written = follower.wait_for(lambda obj: obj.get("status", {}).get("observedGeneration") == generation)
    return (written - sent) * 1000


def _time_floor(client: Client, host: ScratchHost) -> float:
    sent = time.perf_counter()
    client.patch_merge(IBU, "upgrade", {"metadata": {"annotations": {"floor": str(sent)}}})
    upgrade = client.get(IBU, "upgrade")
    subprocess.run([host.programs / "rpm-ostree", "status", "--json"], check=True, stdout=subprocess.DEVNULL)
    upgrade["status"]["rollbackAvailabilityExpiration"] = time.strftime("%Y-%m-%dT%H:%M:%SZ")
    client.update_status(upgrade)
    return (time.perf_counter() - sent) * 1000


def _measure_idle(operator: OperatorProcess, audit_log: Path) -> Iterator[Figure]:
    time.sleep(10)  # let what follows the last reaction end: idle means that nothing is left to do
    taken: dict[str, list[float]] = {name: [] for name in _IDLE}
    for _ in range(IDLE_WINDOWS):
        cpu, requests = _read_cpu_seconds(operator.pid), _count_requests(audit_log)
        time.sleep(IDLE_SECONDS)
        memory = _read_memory(operator.pid)
        a_minute = 60 / IDLE_SECONDS
        taken["resident memory"].append(memory["Rss"])
        taken["of it anonymous"].append(memory["Anonymous"])
        taken["processor time a minute"].append((_read_cpu_seconds(operator.pid) - cpu) * a_minute)
        taken["API requests a minute"].append((_count_requests(audit_log) - requests) * a_minute)
    for name, (unit, original) in _IDLE.items():
        yield Figure(f"idle: {name}", ORIGINAL, unit, tuple(taken[name]), (original,))


def _read_cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _read_memory(pid: int) -> dict[str, float]:
    lines = (line.split() for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:])
    return {words[0].rstrip(":"): int(words[1]) * 1024 / 1e6 for words in lines}


def _count_requests(audit_log: Path) -> int:
    """Requests by the operator that were completed or opened a stream."""
    records = (json.loads(line) for line in audit_log.read_text().splitlines())
    mine = (record for record in records if record["user"]["username"] == _USER)
    return len({record["auditID"] for record in mine})


def _is_idle(obj: dict[str, Any]) -> bool:
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

    def wait_for(self, matches: Any) -> float:
        """Return when the first version that matches arrived."""
        with self._arrived:
            if not self._arrived.wait_for(lambda: any(matches(obj) for _, obj in self._seen), timeout=60):
                raise TimeoutError("the resource did not become what was waited for")
            return next(moment for moment, obj in self._seen if matches(obj))

    def run_until(self, matches: Any) -> None:
        """Wait and stop following."""
        self.wait_for(matches)
        self.close()

    def close(self) -> None:
        """Stop following."""
        self._watch.stop()
        self._thread.join()
