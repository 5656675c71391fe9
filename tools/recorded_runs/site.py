"""A cluster and its node, with our operator on it: what recorded runs, and tests like them, act on."""

from __future__ import annotations

import shutil
import time
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Self

from tools.operator_process import OperatorProcess
from tools.recorded_runs.cluster import IBU, RecordedCluster
from tools.recorded_runs.host import INSTALLED, RecordedHost
from tools.recorded_runs.idle import wait_until_idle
from tools.recorded_runs.state import Object, make_object

NAME = "upgrade"
_OPERATOR_POD = "lifecycle-agent-controller-manager-6d5c7b9f4-x2x9z"
_ENVIRONMENT = {
    "MY_POD_NAME": _OPERATOR_POD,
    "MY_POD_NAMESPACE": "openshift-lifecycle-agent",
    "HOSTNAME": _OPERATOR_POD,
    "PRECACHE_WORKLOAD_IMG": "quay.io/openshift-kni/lifecycle-agent-operator:5.0.0",
    "RELATED_IMAGE_RECERT_IMAGE": "quay.io/edge-infrastructure/recert:v0",
}
_SETTLE_SECONDS = 10.0


class Site:
    """A host of its own in `folder`, and the cluster as the fixtures have it; a context manager."""

    def __init__(self, cluster: RecordedCluster, folder: Path, *, extra_crds: Collection[str] = ()) -> None:
        self.cluster = cluster
        cluster.reset(extra_crds)
        self.host = RecordedHost(folder, cluster.admin_kubeconfig)
        # One of its own, one for each watch that opens, and one for the resource that its watch begins with.
        self._requests_at_start = 4 + (2 if "velero" in extra_crds else 0)
        self.operator = OperatorProcess(self.host, cluster.operator_kubeconfig, environment=_ENVIRONMENT)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.operator.kill()
        self.host.destroy()
        shutil.rmtree(self.host.folder)

    def boot(self, deployments: Sequence[str] = (INSTALLED,), booted: str = INSTALLED) -> None:
        """Bring the deployments into an order, and boot one of them."""
        self.host.order(deployments)
        self.host.boot(booted)

    def make_resource(self, initial: Object) -> None:
        """Create the resource with spec and status, in the form of recordings (`initial`)."""
        metadata = {"name": NAME, "annotations": initial.get("annotations") or {}}
        head = {"apiVersion": IBU.api_version, "kind": IBU.kind, "metadata": metadata}
        wanted = make_object(initial)
        for number in range(initial.get("generation", 1), 1, -1):
            other = {**wanted["spec"], "autoRollbackOnFailure": {"initMonitorTimeoutSeconds": number}}
            self.cluster.apply({**head, "spec": other})
        self.cluster.apply({**head, **wanted})

    def start_operator(self) -> None:
        """Start the operator and wait until it has nothing to do."""
        self.operator.start()
        self.settle()

    def settle(self) -> bool:
        """Wait until the operator has seen the last change of the resource and has nothing to do."""
        deadline = time.monotonic() + _SETTLE_SECONDS
        while True:
            wait_until_idle(self.operator, self.cluster.token, requests_at_start=self._requests_at_start)
            if self._is_observed() or self.operator.process.poll() is not None or time.monotonic() > deadline:
                return True

    def _is_observed(self) -> bool:
        found = self.cluster.client.find(IBU, NAME)
        status = (found or {}).get("status") or {}
        return found is not None and status.get("observedGeneration") == found["metadata"]["generation"]
