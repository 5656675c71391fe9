"""The end of the watch: roll back in order, several times, and by force when that does not help."""

from __future__ import annotations

import logging
import queue
import threading
from datetime import UTC, datetime
from enum import Enum
from typing import Any

from agent.node.initmonitor.lastresort import force_way_back
from agent.node.initmonitor.plan import ATTEMPT_PAUSES_SECONDS, ATTEMPT_SECONDS, COMMAND_SECONDS
from agent.node.initmonitor.reboot import ask_for_reboot, await_reboot
from agent.node.initmonitor.reserve import Reserve
from agent.node.rollback import UNABLE
from agent.node.waiting import Clock
from hostops.hostroot import HostRoot
from hostops.runner import Result, Runner

logger = logging.getLogger(__name__)


class BoundedRunner:
    """Runs commands that must not hang: whatever asks for no time limit gets one."""

    def __init__(self, runner: Runner, seconds: float = COMMAND_SECONDS) -> None:
        self._runner = runner
        self._seconds = seconds

    def run(self, *argv: str, timeout: float | None = None, **options: Any) -> Result:
        """See `Runner.run`."""
        return self._runner.run(*argv, timeout=self._seconds if timeout is None else timeout, **options)


class Ending(Enum):
    """How an attempt to roll back in order ended."""

    ACCEPTED = "the node goes down"
    COMPLETED = "the upgrade has completed"
    FAILED = "it may work the next time"
    HANGS = "it will not end"


def attempt_rollback(runner: Runner, root: HostRoot, message: str, limit_seconds: float) -> Ending:
    """Roll back as every other program does; what takes longer than the limit hangs."""
    endings: queue.SimpleQueue[Ending] = queue.SimpleQueue()

    def work() -> None:
        try:
            endings.put(_attempt(runner, root, message))
        except Exception:
            logger.exception("%sunexpected error", UNABLE)
            endings.put(Ending.FAILED)

    threading.Thread(target=work, daemon=True).start()
    try:
        return endings.get(timeout=limit_seconds)
    except queue.Empty:
        logger.error("%sit takes too long", UNABLE)
        return Ending.HANGS


def _attempt(runner: Runner, root: HostRoot, message: str) -> Ending:
    from agent.pivot.rollback import AlreadyCompleted, RollbackError, initiate_rollback  # not while all is well

    try:
        initiate_rollback(runner, root, message, datetime.now(UTC))
    except AlreadyCompleted:
        return Ending.COMPLETED
    except RollbackError as error:
        logger.error("%s%s", UNABLE, str(error).removeprefix(UNABLE))
        return Ending.FAILED
    return Ending.ACCEPTED


def send_back(
    runner: Runner,
    root: HostRoot,
    reserve: Reserve,
    message: str,
    clock: Clock,
    attempt_seconds: float = ATTEMPT_SECONDS,
) -> None:
    """Send the node back for the reason `message`. Does not return unless the upgrade has completed.

    Raises ProgramError when nothing helped.
    """
    bounded = BoundedRunner(runner)
    accepted = False
    for pause_seconds in (*ATTEMPT_PAUSES_SECONDS, None):
        ending = attempt_rollback(bounded, root, message, attempt_seconds)
        if ending is Ending.COMPLETED:
            return _let_go()
        accepted = ending is Ending.ACCEPTED
        if accepted or ending is Ending.HANGS or pause_seconds is None:
            break
        reserve.release()
        clock.sleep(pause_seconds)
    if not accepted:
        logger.error("rolling back by force")
        now = datetime.now(UTC)
        if not force_way_back(bounded, root, message, now):
            return _let_go()
        accepted = ask_for_reboot(bounded, root, now)
    return await_reboot(bounded, root, clock, accepted=accepted)


def _let_go() -> None:
    logger.info("the upgrade has completed, so nothing is rolled back")
