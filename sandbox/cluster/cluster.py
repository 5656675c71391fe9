"""One cluster: control plane, content, and the parts that keep it alive; started and stopped in order."""

from __future__ import annotations

import logging
import time

from agent.kube import Client
from sandbox.cluster.config import ClusterConfig
from sandbox.cluster.first_boot import fill_cluster
from sandbox.cluster.kubelet.certificates import ensure_certificates
from sandbox.cluster.kubelet.kubelet import Kubelet
from sandbox.cluster.kubelet.node import NodeObject
from sandbox.cluster.kubelet.server import API_SERVER_USER, KubeletServer
from sandbox.cluster.operators.approver import MachineApprover
from sandbox.cluster.operators.cluster_operators import ClusterOperators
from sandbox.cluster.operators.machine_config import MachineConfigOperator
from sandbox.cluster.operators.olm import CATALOG_SOURCE, CLUSTER_SERVICE_VERSION, LifecycleManager, ready, succeeded
from sandbox.cluster.operators.service_ca import ServiceCertificates
from sandbox.cluster.parts import Parts, Work
from sandbox.controlplane import LEAN_CONTROLLERS, ControlPlane, find_binaries
from sandbox.controlplane.binaries import knows_gate
from sandbox.controlplane.pki import Pki, write_private
from sandbox.controlplane.plane import SERVER_NAMES
from sandbox.faults import Faults
from sandbox.lvms.driver import LvmsDriver
from sandbox.velero.server import VeleroServer

CONTROLLERS = (
    *LEAN_CONTROLLERS,
    "persistentvolume-binder",
    "pvc-protection",
    "pv-protection",
    "root-ca-cert-publisher",
    "ttl-after-finished",
)

_POD_GRACE_SECONDS = 2.0

_log = logging.getLogger(__name__)


class Cluster:
    """The cluster of one configuration; `start` returns when the API answers and all first objects exist."""

    def __init__(self, config: ClusterConfig) -> None:
        self.config = config
        self._parts = Parts()
        self._client: Client | None = None
        self._kubelet: Kubelet | None = None
        self._server: KubeletServer | None = None
        self._pki = Pki(config.pki)
        self.control_plane = ControlPlane(
            config.run_directory / "control-plane",
            etcd_data=config.etcd_data,
            pki=config.pki,
            api_port=config.api_port or None,
            controllers=CONTROLLERS,
            api_flags={**self._kubelet_flags(), **_lean_flags(), "storage-media-type": "application/json"},
        )

    @property
    def client(self) -> Client:
        """The administrator's client; known after the start."""
        assert self._client is not None, "the cluster is not started"
        return self._client

    def start(self) -> None:
        """Start everything. Raises ControlPlaneError or ContentError, with nothing left running."""
        began = time.monotonic()
        self._forget_ready()
        self._issue_kubelet_client()
        self.control_plane.start()
        try:
            self._client = Client.connect(self.control_plane.admin_kubeconfig)
            answered = time.monotonic()
            first = fill_cluster(self._client, self.config)
            for path in self.config.kubeconfigs:
                write_private(path, self.control_plane.admin_kubeconfig.read_bytes())
            self._start_parts()
            if self.config.ready_file:
                write_private(self.config.ready_file, b"")
        except BaseException:
            self.stop()
            raise
        seconds = (answered - began, time.monotonic() - answered)
        what = "first objects" if first else "cluster"
        _log.info("%s: API server after %.1f s, %s %.1f s later", self.config.domain, seconds[0], what, seconds[1])

    def _forget_ready(self) -> None:
        if self.config.ready_file:
            self.config.ready_file.unlink(missing_ok=True)

    def _kubelet_flags(self) -> dict[str, str]:
        """How the API server finds the kubelet, and how they trust each other."""
        folder = self.config.run_directory
        return {
            "kubelet-certificate-authority": str(self._pki.ca_certificate),
            "kubelet-client-certificate": str(folder / "kubelet-client.crt"),
            "kubelet-client-key": str(folder / "kubelet-client.key"),
            "kubelet-preferred-address-types": "ExternalIP",
        }

    def _issue_kubelet_client(self) -> None:
        self._pki.ensure(SERVER_NAMES)
        certificate, key = self._pki.issue_client(API_SERVER_USER, ())
        write_private(self.config.run_directory / "kubelet-client.crt", certificate)
        write_private(self.config.run_directory / "kubelet-client.key", key)
        ensure_certificates(self._pki, self.config.node_root, self.config.node_name)

    def _start_parts(self) -> None:
        self._kubelet = Kubelet(self.client, self.config)
        self._server = KubeletServer(self._kubelet, self._pki, self.config.kubelet_port)
        node = NodeObject(self.client, self.config, self._server.port)
        node.register()
        operators = ClusterOperators(self.client, self.config)
        operators.begin()
        works: dict[str, Work] = {
            "cluster operators": operators.run,
            "machine config": MachineConfigOperator(self.client, self.config).run,
            "machine approver": MachineApprover(self.client).run,
            "service CA": ServiceCertificates(self.client).run,
            "installed operators": LifecycleManager(self.client, CLUSTER_SERVICE_VERSION, succeeded).run,
            "catalogs": LifecycleManager(self.client, CATALOG_SOURCE, ready).run,
            "kubelet API": self._server.run,
            "kubelet": self._kubelet.run,
            "node": node.run,
            "LVM Storage": LvmsDriver(self.client, self.config.lvm_dir, self.config.node_name).run,
            "Velero": VeleroServer(self.client, faults=Faults(self.config.faults_file)).run,
        }
        for name, work in works.items():
            self._parts.start(name, work)

    def stop(self) -> None:
        """Stop everything: Pods, other parts, control plane; harmless when nothing runs."""
        self._forget_ready()
        self._parts.stopping.set()
        if self._kubelet:
            self._kubelet.stop(_POD_GRACE_SECONDS)
        if self._server:
            self._server.stop()
        if self._client:
            self._client.close()
        self._parts.stop(timeout_seconds=2)
        self.control_plane.stop()


def _lean_flags() -> dict[str, str]:
    """Old API servers model the whole API anew for each CRD, for server-side apply alone: seconds and megabytes."""
    gate = "ServerSideApply"
    return {"feature-gates": f"{gate}=false"} if knows_gate(find_binaries().api_server, gate) else {}
