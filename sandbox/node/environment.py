"""What every program on the node finds in its environment."""

from __future__ import annotations

from sandbox.layout import NODE_MOUNT

PATH = f"{NODE_MOUNT}/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin"
KUBECONFIG = NODE_MOUNT / "control" / "kubeconfig"


def node_environment() -> dict[str, str]:
    """Environment of process 1 and of every program that is run on the node."""
    return {
        "PATH": PATH,
        "LANG": "C.UTF-8",
        "HOME": "/root",
        "container": "lca-sandbox",
        "KUBEBUILDER_ASSETS": f"{NODE_MOUNT}/assets",
    }
