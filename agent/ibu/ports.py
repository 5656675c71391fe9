"""The doors through which the upgrade's steps reach the world; built once per process and handed to every step."""

from __future__ import annotations

from dataclasses import dataclass

from agent.kube import Client
from hostops.hostroot import HostRoot
from hostops.runner import Runner

ADMIN_KUBECONFIG = (
    "/etc/kubernetes/static-pod-resources/kube-apiserver-certs/secrets/node-kubeconfigs/lb-ext.kubeconfig"
)
WORKSPACE = "/var/lib/lca/workspace"


@dataclass(frozen=True, slots=True)
class Ports:
    """What a step may use: the API server, the host, and who we are.

    `runner` runs commands on the host, `root` maps host paths to visible ones. `namespace` and `pod_name` are the
    operator's own; `precache_image` is the image of the precache workload (PRECACHE_WORKLOAD_IMG), "" when unset.
    """

    client: Client
    runner: Runner
    root: HostRoot
    namespace: str
    pod_name: str
    precache_image: str

    def connect_admin(self) -> Client:
        """Return a client with the rights of the node's own administrator.

        The operator's service account may not touch arbitrary kinds; users' manifests are of arbitrary kinds. Raises
        AccessError when the kubeconfig is missing or unreadable. The caller closes the client.
        """
        return Client.connect(self.root.path(ADMIN_KUBECONFIG))
