"""`lca-node seed restore`: bring back the cluster of a node that a seed image was being made of."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from agent.node.seed.places import LOCK
from agent.node.seed.request import open_host, parse_request
from agent.node.seed.restoration import Restoration, restore_seed
from hostops.hostroot import HostRoot
from hostops.locks import hold_lock


def main(argv: Sequence[str]) -> None:
    """Bring it back. Raises ProgramError, UsageError."""
    request = parse_request("restore", argv)
    root = HostRoot(Path("/"))
    with hold_lock(root.path(LOCK)):
        restore_seed(Restoration(request, root, open_host()))
