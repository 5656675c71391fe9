"""The cluster of a sandbox node, run as the node runs it: `python -m sandbox.cluster` with its own etcd, API server and
controller manager. The node is a scratch folder; Pods run for real in bubblewrap (this needs root). One cluster serves
all tests of a pytest process; those that stop or break it start their own.
"""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from agent.kube import Client, Kind, Object, errors
from sandbox.cluster.config import ClusterConfig
from sandbox.controlplane import find_binaries
from sandbox.daemon import Daemon
from sandbox.faults import Faults

POD = Kind("", "v1", "Pod")
NAMESPACE = Kind("", "v1", "Namespace")
START_SECONDS, STOP_SECONDS, WAIT_SECONDS = 120, 30, 60


@dataclass
class RunningCluster:
    """A cluster process and the ways to it."""

    config: ClusterConfig
    process: Daemon
    client: Client
    kubeconfig: Path

    @property
    def faults(self) -> Faults:
        return Faults(self.config.faults_file)

    def kubectl(self, *argv: str, stdin: str | None = None, fails: bool = False) -> str:
        """Output of kubectl; with `fails` what it says when it is refused."""
        program = find_binaries().kubectl
        assert program, "kubectl is missing: run `make setup`"
        environment = {**os.environ, "KUBECONFIG": str(self.kubeconfig)}
        done = subprocess.run([program, *argv], input=stdin, env=environment, capture_output=True, text=True)
        assert bool(done.returncode) == fails, done.stdout + done.stderr
        return done.stderr if fails else done.stdout

    def await_object(
        self, kind: Kind, name: str, namespace: str | None, holds: Callable[[Object], Any], what: str = "a condition"
    ) -> Object:
        """The object as soon as `holds` is true for it."""
        seen: Object | None = None
        with self.client.watch(kind, namespace, name=name, timeout_seconds=WAIT_SECONDS) as watch:
            for event in watch:
                seen = event.object
                if event.type != "DELETED" and holds(seen):
                    return seen
        raise AssertionError(f"{kind.kind} {name} never came to {what}: {seen and seen.get('status')}")

    def await_gone(self, kind: Kind, name: str, namespace: str | None) -> None:
        """Return when the object does not exist."""
        with self.client.watch(kind, namespace, name=name, timeout_seconds=WAIT_SECONDS) as watch:
            if self.client.find(kind, name, namespace) is None:
                return
            assert any(event.type == "DELETED" for event in watch), f"{kind.kind} {name} still exists"

    def run_pod(self, namespace: str, spec: Object, name: str = "pod") -> Object:
        """Create a Pod of one container `main` (unless `spec` has containers) that is not restarted."""
        pod_spec = {"restartPolicy": "Never", "terminationGracePeriodSeconds": 5, **spec}
        metadata = {"name": name, "namespace": namespace}
        return self.client.create({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": pod_spec})

    def await_phase(self, namespace: str, phase: str, name: str = "pod") -> Object:
        return self.await_object(POD, name, namespace, lambda pod: pod["status"].get("phase") == phase, phase)

    def log(self, namespace: str, *argv: str, pod: str = "pod") -> str:
        return self.kubectl("logs", "-n", namespace, pod, *argv)


def shell(script: str, **fields: Any) -> Object:
    """A container that runs a script."""
    return {"name": "main", "image": "example.com/any:1", "command": ["/bin/sh", "-c", script], **fields}


def start_cluster(config: ClusterConfig) -> RunningCluster:
    folder = config.node_root
    path = folder / "cluster.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(config.model_dump_json())
    argv = [sys.executable, "-m", "sandbox.cluster", "--config", str(path)]
    process = Daemon("cluster", argv, log=folder / "cluster.log", env=dict(os.environ))
    process.start()
    assert config.ready_file
    process.wait_until(config.ready_file.exists, timeout_seconds=START_SECONDS)
    kubeconfig = config.kubeconfigs[0]
    return RunningCluster(config, process, Client.connect(kubeconfig), kubeconfig)


def scratch_config(folder: Path, **values: Any) -> ClusterConfig:
    """A node that is nothing but a folder."""
    (folder / "control").mkdir(parents=True, exist_ok=True)
    own = {
        "faults_file": folder / "control" / "faults.json",
        "kubeconfigs": (folder / "kubeconfig",),
        "ready_file": folder / "ready",
        "operator_seconds": 0.05,
        "deploy_dir": None,
    }
    return ClusterConfig.for_node_root(folder, **own, **values)


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCluster]:
    """The cluster of this pytest process."""
    running = start_cluster(scratch_config(tmp_path_factory.mktemp("node")))
    yield running
    running.client.close()
    running.process.stop(grace_seconds=STOP_SECONDS)


@pytest.fixture
def namespace(cluster: RunningCluster) -> Iterator[str]:
    """A fresh namespace whose service account is ready."""
    name = f"test-{uuid.uuid4().hex[:12]}"
    cluster.client.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    cluster.await_object(Kind("", "v1", "ServiceAccount"), "default", name, lambda account: True)
    yield name
    try:
        cluster.client.delete(NAMESPACE, name)
    except errors.NotFound:
        return
