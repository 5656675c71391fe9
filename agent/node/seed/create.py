"""`lca-node seed create`: make a seed image of this node, push it, bring the cluster back."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from agent.node.ending import ProgramError
from agent.node.seed.creation import CREATE_SEED, Creation
from agent.node.seed.places import LOCK, NODE_KUBECONFIG
from agent.node.seed.request import SeedRequest, open_host, parse_request
from agent.node.seed.restoration import Restoration, restore_seed
from agent.node.walk import walk
from hostops import files
from hostops.hostroot import HostRoot
from hostops.locks import hold_lock
from hostops.runner import shorten_middle
from seeds.creation.workspace import ERROR_FILE

logger = logging.getLogger(__name__)

_ERROR_LIMIT = 4000


def main(argv: Sequence[str]) -> None:
    """Make the image. Raises ProgramError, UsageError."""
    request = parse_request("create", argv)
    root, host = HostRoot(Path("/")), open_host()
    from agent.kube import Client

    creation = Creation(request, root, host, lambda: Client.connect(root.path(NODE_KUBECONFIG)))
    with hold_lock(root.path(LOCK)):
        create_seed(creation)


def create_seed(creation: Creation) -> None:
    """Make the image and bring the cluster back, whatever happens. Raises ProgramError."""
    try:
        logger.info("OCI image creation has started")
        _forget_error(creation.root)
        walk(CREATE_SEED, creation)
        logger.info("OCI image created successfully!", extra={"image": creation.request.image})
    except ProgramError as error:
        _note_error(creation.root, str(error))
        if failure := _bring_back(creation.request, creation):
            raise ProgramError(f"{error}; besides: {failure}") from error
        raise
    except BaseException:  # a signal, or a mistake of ours
        _note_error(creation.root, "the builder was interrupted")
        _bring_back(creation.request, creation)
        raise
    if failure := _bring_back(creation.request, creation):
        _note_error(creation.root, failure)
        raise ProgramError(failure)


def _bring_back(request: SeedRequest, creation: Creation) -> str:
    """Return what went wrong."""
    if not request.cleanup:
        logger.warning("the cluster stays down; `lca-node seed restore` brings it back")
        return ""
    try:
        restore_seed(Restoration(request, creation.root, creation.host, creation.pause))
    except ProgramError as error:
        logger.error("%s", error)
        return str(error)
    return ""


def _note_error(root: HostRoot, text: str) -> None:
    """Leave the reason for the operator; on a full disk the log has to do."""
    path = root.path(ERROR_FILE)
    try:
        if path.parent.is_dir():
            files.write_atomically(path, shorten_middle(text, _ERROR_LIMIT))
    except OSError as error:
        logger.warning("the operator will not know why: %s", error)


def _forget_error(root: HostRoot) -> None:
    files.remove_durably(root.path(ERROR_FILE))
