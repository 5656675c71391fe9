"""Sending the node back from a program on the host: ask for the reboot, and wait to be ended by it."""

from __future__ import annotations

from datetime import UTC, datetime

from agent.node.ending import Interrupted, ProgramError
from agent.node.waiting import Clock
from hostops.hostroot import HostRoot
from hostops.reboot import OVERDUE, PATIENCE
from hostops.runner import Runner

UNABLE = "unable to auto rollback: "


def roll_back(runner: Runner, root: HostRoot, message: str, clock: Clock) -> None:
    """Send the node back to the release it came from, where the upgrade failed for the reason `message`.

    Does not return: the reboot ends this process. Raises AlreadyCompleted, and ProgramError when the node could not be
    sent back, or is still there an hour later.
    """
    from agent.pivot.rollback import RollbackError, initiate_rollback  # loads the model of the resource

    try:
        initiate_rollback(runner, root, message, datetime.now(UTC))
    except RollbackError as error:
        raise ProgramError(f"{UNABLE}{str(error).removeprefix(UNABLE)}") from error
    try:
        clock.sleep(PATIENCE.total_seconds())
    except Interrupted:
        raise Interrupted("the node goes down") from None
    raise ProgramError(OVERDUE)
