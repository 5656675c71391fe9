"""One cluster: control plane, content, and the parts that keep it alive; started and stopped in order."""

from __future__ import annotations

import logging
import time

from agent.kube import Client
from sandbox.cluster.config import ClusterConfig
from sandbox.cluster.first_boot import fill_cluster
from sandbox.cluster.parts import Parts
from sandbox.controlplane import LEAN_CONTROLLERS, ControlPlane
from sandbox.controlplane.pki import write_private

CONTROLLERS = (
    *LEAN_CONTROLLERS,
    "cronjob",
    "persistentvolume-binder",
    "pvc-protection",
    "pv-protection",
    "root-ca-cert-publisher",
    "ttl-after-finished",
)

_log = logging.getLogger(__name__)


class Cluster:
    """The cluster of one configuration; `start` returns when the API answers and all first objects exist."""

    def __init__(self, config: ClusterConfig) -> None:
        self.config = config
        self._parts = Parts()
        self._client: Client | None = None
        self.control_plane = ControlPlane(
            config.run_directory / "control-plane",
            etcd_data=config.etcd_data,
            pki=config.pki,
            api_port=config.api_port or None,
            controllers=CONTROLLERS,
        )

    @property
    def client(self) -> Client:
        """The administrator's client; known after the start."""
        assert self._client is not None, "the cluster is not started"
        return self._client

    def start(self) -> None:
        """Start everything. Raises ControlPlaneError or ContentError, with nothing left running."""
        began = time.monotonic()
        if self.config.ready_file:
            self.config.ready_file.unlink(missing_ok=True)
        self.control_plane.start()
        try:
            self._client = Client.connect(self.control_plane.admin_kubeconfig)
            first = fill_cluster(self._client, self.config)
            for path in self.config.kubeconfigs:
                write_private(path, self.control_plane.admin_kubeconfig.read_bytes())
            self._start_parts()
            if self.config.ready_file:
                write_private(self.config.ready_file, b"")
        except BaseException:
            self.stop()
            raise
        _log.info(
            "cluster %s is up after %.1f s%s", self.config.domain, time.monotonic() - began, " (first boot)" * first
        )

    def _start_parts(self) -> None:
        pass

    def stop(self) -> None:
        """Stop everything: parts first, then the control plane; harmless when nothing runs."""
        self._parts.stopping.set()
        if self._client:
            self._client.close()
        self._parts.stop(timeout_seconds=2)
        self.control_plane.stop()
