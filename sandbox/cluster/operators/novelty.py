"""Whether an upgrade has just led into the booted stateroot: there is an older one beside it."""

from __future__ import annotations

from sandbox.cluster.config import ClusterConfig


def is_new(config: ClusterConfig) -> bool:
    """Look at the stateroots of the node; one that is about to be upgraded, or was finalized, is not new."""
    folder = config.node_root / "sysroot/ostree/deploy"
    ages = {each.name: each.stat().st_mtime for each in folder.iterdir()} if folder.is_dir() else {}
    return len(ages) > 1 and max(ages, key=lambda name: ages[name]) == config.stateroot
