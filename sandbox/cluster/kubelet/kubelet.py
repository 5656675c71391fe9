"""The kubelet of one node: follows the Pods of the cluster and keeps a worker for each of its own."""

from __future__ import annotations

import logging
import shutil
import threading
import time

from agent.kube import Client, Object, errors
from sandbox.cluster.config import ClusterConfig
from sandbox.cluster.following import Stopping, follow
from sandbox.cluster.kubelet.containers import ContainerStarter
from sandbox.cluster.kubelet.node import NODE, allocatable
from sandbox.cluster.kubelet.scheduling import Scheduler
from sandbox.cluster.kubelet.worker import POD, PodWorker

_log = logging.getLogger(__name__)


class Kubelet:
    """Runs the Pods of the node. `run` in one thread; `stop` ends all containers before it returns."""

    def __init__(self, client: Client, config: ClusterConfig) -> None:
        self._client, self._config = client, config
        self.starter = ContainerStarter(client, config, allocatable())
        self._scheduler = Scheduler(client, config.node_name)
        self._workers: dict[str, PodWorker] = {}
        self._lock = threading.Lock()
        self._stopped = False

    def run(self, stop: Stopping) -> None:
        """Follow the Pods until `stop`."""
        self._remove_strays()
        for event in follow(self._client, POD, stop):
            try:
                self._handle(event.type, event.object)
            except (errors.Transient, errors.Conflict) as error:
                _log.warning("pod %s: %s", event.object["metadata"]["name"], error)

    def stop(self, grace_seconds: float) -> None:
        """End every container: politely, and after the grace period for good."""
        with self._lock:
            self._stopped = True
            workers = list(self._workers.values())
        for worker in workers:
            worker.stop(grace_seconds)
        deadline = time.monotonic() + grace_seconds + 1
        for worker in workers:
            worker.join(max(0.0, deadline - time.monotonic()))
        self.starter.runtime.stop()

    def worker_of(self, namespace: str, name: str) -> PodWorker | None:
        """The worker of a Pod by its name."""
        with self._lock:
            return next(
                (
                    worker
                    for worker in self._workers.values()
                    if (worker.pod["metadata"]["namespace"], worker.pod["metadata"]["name"]) == (namespace, name)
                ),
                None,
            )

    def _handle(self, change: str, pod: Object) -> None:
        uid = pod["metadata"]["uid"]
        with self._lock:
            worker = self._workers.get(uid)
        if change == "DELETED":
            if worker:
                worker.vanish()
            return
        node = pod["spec"].get("nodeName")
        if not node:
            if "deletionTimestamp" not in pod["metadata"]:
                self._scheduler.place(pod)
        elif node != self._config.node_name:
            return
        elif worker:
            worker.update(pod)
        else:
            self._begin(uid, pod)

    def _begin(self, uid: str, pod: Object) -> None:
        worker = PodWorker(self.starter, pod, self._forget)
        with self._lock:
            if self._stopped:
                return
            self._workers[uid] = worker
        worker.start()

    def _forget(self, uid: str) -> None:
        with self._lock:
            self._workers.pop(uid, None)

    def _remove_strays(self) -> None:
        """Remove what the cluster's past left: Pods of nodes that do not exist, folders of Pods that do not exist."""
        pods = self._client.list(POD)
        nodes = {node["metadata"]["name"] for node in self._client.list(NODE)}
        for pod in pods:
            if pod["spec"].get("nodeName", self._config.node_name) not in nodes | {self._config.node_name}:
                self.starter.delete_now(pod)
        uids = {pod["metadata"]["uid"] for pod in pods}
        for folder in (self._config.node_root / "var/lib/kubelet/pods").glob("*/"):
            if folder.name not in uids:
                shutil.rmtree(folder)
        for folder in self.starter.logs.glob("*_*_*/"):
            if folder.name.rpartition("_")[2] not in uids:
                shutil.rmtree(folder)
