"""The control plane: time until it is ready and resident memory, against the same programs with their own defaults."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from agent.kube import Client
from sandbox.cluster.content.kinds import crd_documents
from sandbox.controlplane import ControlPlane
from tools.bench.measure import Figure

RUNS = 3
DEFAULTS: dict[str, Any] = {
    "api_flags": {"runtime-config": "api/beta=true", "enable-priority-and-fairness": "true"},
    "environment": {"GOGC": "100"},
}


def measure() -> Iterator[Figure]:
    """Start both in turns, with the kinds of a sandbox installed before the memory is read."""
    ours, floors = zip(*((_start_once({}), _start_once(DEFAULTS)) for _ in range(RUNS)), strict=True)
    subjects = (
        ("control plane: ready", "s"),
        ("kube-apiserver with the sandbox's kinds: memory", "MiB"),
        ("whole control plane: memory", "MiB"),
    )
    for index, (name, unit) in enumerate(subjects):
        samples, floor_samples = (tuple(run[index] for run in runs) for runs in (ours, floors))
        yield Figure(name, "the programs' defaults", unit, samples, floor_samples)


def _start_once(options: dict[str, Any]) -> tuple[float, float, float]:
    """Seconds until ready; MiB of the API server and of all programs once all kinds are served."""
    with tempfile.TemporaryDirectory(prefix="bench-") as directory:
        began = time.monotonic()
        with ControlPlane(Path(directory), **options) as plane:
            seconds = time.monotonic() - began
            with Client.connect(plane.admin_kubeconfig) as client:
                for document in crd_documents():
                    client.create(document)
                client.request("GET", "/openapi/v2")
            memory = {name: _resident_mib(pid) for name, pid in plane.pids.items()}
    return seconds, memory["kube-apiserver"], sum(memory.values())


def _resident_mib(pid: int) -> float:
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return int(status["VmRSS"].split()[0]) / 1024
