"""`lca-node post-pivot`: what runs on the node between the pivot and the start of its cluster, and a little longer."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from agent.node.autorollback import AutoRollbackConfigError, read_auto_rollback
from agent.node.commandline import make_parser, parse_options
from agent.node.ending import FatalError, ProgramError
from agent.node.postpivot.run import PostPivot
from agent.node.rollback import roll_back
from agent.node.walk import walk
from agent.workflow.step import Itinerary
from hostops.hostroot import HostRoot
from hostops.locks import hold_lock
from hostops.runner import HostRunner, shorten_middle
from hostops.scopes import DIRECT, NSENTER
from seeds.autorollback import AutoRollbackConfig

logger = logging.getLogger(__name__)

COMPONENT = "postpivot"
LOCK = "/run/lca-post-pivot.lock"
"""Held by the program: started by hand beside the unit it would rewrite the cluster a second time."""

_ERROR_LIMIT = 16 * 1024
"""Characters of an error in a condition of the upgrade; twice as many fit."""


def main(argv: Sequence[str]) -> None:
    """Configure the node. Raises FatalError when that failed and the node could not be sent back either."""
    parser = make_parser("post-pivot", __doc__)
    parser.add_argument("--in-container", action="store_true", help="run host commands in the namespaces of process 1")
    options = parse_options(parser, argv)
    logger.info("Post pivot operation has started")
    from agent.node.postpivot.itinerary import CONFIGURE_NODE

    run = PostPivot(HostRoot.detect(), HostRunner(NSENTER if options.in_container else DIRECT))
    with hold_lock(run.root.path(LOCK)):
        configure_or_roll_back(run, CONFIGURE_NODE)
    logger.info("Post pivot operation finished successfully!")


def configure_or_roll_back(run: PostPivot, itinerary: Itinerary[PostPivot]) -> None:
    """Run the itinerary; when it fails send the node back, which ends this process. Raises FatalError."""
    try:
        auto_rollback = read_auto_rollback(run.root)
    except AutoRollbackConfigError as error:
        logger.error("there is no automatic rollback: %s", error)
        auto_rollback = None
    if auto_rollback and auto_rollback.monitor_timeout_seconds > 0:
        run.wait_seconds = auto_rollback.monitor_timeout_seconds
    try:
        walk(itinerary, run)
        return
    except ProgramError as error:
        problem = str(error)
    except Exception as error:
        logger.exception("unexpected error")
        problem = f"unexpected error: {type(error).__name__}: {error}"
    problem = shorten_middle(run.mask(problem), _ERROR_LIMIT)
    logger.error("%s", problem)
    _send_back(run, auto_rollback, problem)
    raise FatalError("Post pivot operation failed")


def _send_back(run: PostPivot, auto_rollback: AutoRollbackConfig | None, problem: str) -> None:
    """Send the node back, if that is wanted. Returns when it is not, or can not be done; both are logged."""
    if auto_rollback is None or COMPONENT not in auto_rollback.components:
        logger.info("automatic rollback is disabled for component %s; this program is started again", COMPONENT)
        return
    from agent.pivot.rollback import AlreadyCompleted

    try:
        roll_back(run.runner, run.root, f"Rollback due to {COMPONENT} failure: {problem}", run.clock)
    except AlreadyCompleted:
        logger.warning("the upgrade has completed, so nothing is rolled back")
    except ProgramError as error:
        logger.error("%s", error)
