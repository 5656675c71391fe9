"""Getting the node down when it does not go down by itself."""

from __future__ import annotations

import logging
from datetime import datetime

from agent.node.ending import ProgramError
from agent.node.initmonitor.plan import FORCED_REBOOTS, LAST_REBOOT_SECONDS
from agent.node.waiting import Clock
from hostops.hostroot import HostRoot
from hostops.reboot import OVERDUE, Rebooter, reboot_argv
from hostops.runner import CommandError, Runner

logger = logging.getLogger(__name__)

SYSRQ_SWITCH = "/proc/sys/kernel/sysrq"
SYSRQ = "/proc/sysrq-trigger"
_SYNC, _READ_ONLY, _REBOOT = "s", "u", "b"
_SYSRQ_PAUSE_SECONDS = 5.0


def ask_for_reboot(runner: Runner, root: HostRoot, now: datetime) -> bool:
    """Ask systemd for the reboot, with a note of it if the disk takes one; say whether it was accepted."""
    try:
        Rebooter(runner, root).request("rollback", now)
        return True
    except (CommandError, OSError) as error:
        logger.error("failed to reboot with systemd :%s", error)
    try:
        runner.run(*reboot_argv("rollback"))
    except CommandError as error:
        logger.error("failed to reboot with systemd :%s", error)
        return False
    return True


def await_reboot(runner: Runner, root: HostRoot, clock: Clock, *, accepted: bool) -> None:
    """Wait to be ended by the reboot, asking for it ever more forcefully. Raises ProgramError when nothing helps."""
    for patience_seconds, words in FORCED_REBOOTS:
        if accepted:
            clock.sleep(patience_seconds)
        logger.error("the node does not go down, forcing it: %s", " ".join(words))
        try:
            runner.run(*words)
            accepted = True
        except CommandError as error:
            logger.error("failed to reboot with systemd :%s", error)
            accepted = False
    if accepted:
        clock.sleep(LAST_REBOOT_SECONDS)
    try:
        _ask_kernel(root, clock)
    except OSError as error:
        logger.error("the kernel can not be asked either: %s", error)
    raise ProgramError(OVERDUE)


def _ask_kernel(root: HostRoot, clock: Clock) -> None:
    logger.error("the node does not go down, asking the kernel")
    root.path(SYSRQ_SWITCH).write_text("1")
    for command in (_SYNC, _READ_ONLY, _REBOOT):
        root.path(SYSRQ).write_text(command)
        clock.sleep(_SYSRQ_PAUSE_SECONDS)
