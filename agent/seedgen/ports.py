"""The doors through which seed generation reaches the world; built once per process and handed to every step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from agent.kube import Client
from hostops.hostroot import HostRoot
from hostops.runner import Runner
from seeds.creation.workspace import WORKSPACE

DEFAULT_RECERT_IMAGE = "quay.io/edge-infrastructure/recert:v0"
NODE_AUTH_FILE = "/var/lib/kubelet/config.json"


@dataclass(frozen=True, slots=True)
class Ports:
    """What a step may use: the API server, the host, and who we are.

    `find_health_failure` returns why the cluster is not stable, None when it is. `recert_image` is the operator's own
    (RELATED_IMAGE_RECERT_IMAGE), "" when unset.
    """

    client: Client
    runner: Runner
    root: HostRoot
    namespace: str
    pod_name: str
    recert_image: str
    skip_recert: bool
    find_health_failure: Callable[[Client], str | None]

    def workspace(self, name: str) -> Path:
        """Where this process sees a file of the workspace."""
        return self.root.path(f"{WORKSPACE}/{name}")
