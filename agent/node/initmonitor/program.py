"""`lca-node init-monitor`: rolls back an upgrade that does not complete in time, or whose units fail."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence

from agent.node.autorollback import AutoRollbackConfigError, read_auto_rollback
from agent.node.commandline import make_parser, parse_options
from agent.node.ending import Interrupted, ProgramError
from agent.node.initmonitor.plan import IP_MODES, MODE_FILE, MODES, Off, plan_after_stop, plan_watch
from agent.node.waiting import Clock
from agent.pivot.completion import is_completed
from hostops.hostroot import HostRoot
from hostops.runner import HostRunner, Runner
from hostops.scopes import host_scope
from seeds.autorollback import AutoRollbackConfig

logger = logging.getLogger(__name__)


def main(argv: Sequence[str]) -> None:
    """Watch, or judge the end of a unit. Raises ProgramError."""
    parser = make_parser("init-monitor", __doc__)
    parser.add_argument("--monitor", action="store_true", help="wait for the time-out, then roll back")
    parser.add_argument("--mode", choices=MODES, default="ibu", help=f"what is watched; {MODE_FILE} overrides it")
    parser.add_argument("--exec-stop-post", metavar="COMPONENT", help="roll back if systemd's SERVICE_RESULT is bad")
    options = parse_options(parser, argv)
    if options.monitor and options.exec_stop_post is not None:
        parser.error(
            "if any flags in the group [monitor exec-stop-post] are set none of the others can be; "
            "[exec-stop-post monitor] were all set"
        )
    root, runner = HostRoot.detect(), HostRunner(host_scope())
    if options.monitor:
        watch(runner, root, read_mode(root) or options.mode, Clock())
    elif options.exec_stop_post is not None:
        judge_stop(runner, root, options.exec_stop_post, os.environ.get("SERVICE_RESULT", ""), Clock())
    else:
        parser.error("must specify either --monitor or --exec-stop-post")


def read_mode(root: HostRoot) -> str:
    """Return what the host's file says is to be watched, empty when it does not."""
    try:
        return root.path(MODE_FILE).read_text().strip()
    except FileNotFoundError:
        return ""
    except (OSError, ValueError) as error:
        logger.warning("%s can not be read: %s", MODE_FILE, error)
        return ""


def watch(runner: Runner, root: HostRoot, mode: str, clock: Clock) -> None:
    """Roll back when the time is over; being stopped is the sign that the upgrade has completed.

    Raises ProgramError when the node could not be sent back.
    """
    if mode in IP_MODES:
        raise ProgramError(f"mode {mode}: this agent does not change addresses of a node, so nothing is watched")
    plan = plan_watch(_read_watch_config(root))
    if isinstance(plan, Off):
        if plan.reason:
            logger.info("%s", plan.reason)
        return
    if is_completed(root):
        logger.info("the upgrade has completed, so nothing is watched")
        return
    from agent.node.initmonitor.reserve import Reserve
    from agent.node.initmonitor.watchdog import send_back

    logger.info("%s", plan.announcement)
    reserve = Reserve(root)
    reserve.make()
    try:
        clock.sleep(plan.seconds)
        logger.info("%s", plan.message)
        send_back(runner, root, reserve, plan.message, clock)
    except Interrupted:
        logger.info("the watch was called off")
    finally:
        reserve.release()


def judge_stop(runner: Runner, root: HostRoot, component: str, service_result: str, clock: Clock) -> None:
    """Roll back if the unit of `component` ended badly and may do so. Raises ProgramError."""
    message = plan_after_stop(_read_config(root), component, service_result)
    logger.info("LCA Init Monitor: component %s exited with SERVICE_RESULT=%s", component, service_result)
    if message is None:
        return
    logger.info("%s", message)
    from agent.node.rollback import roll_back
    from agent.pivot.rollback import AlreadyCompleted

    try:
        roll_back(runner, root, message, clock)
    except AlreadyCompleted:
        logger.info("the upgrade has completed, so nothing is rolled back")


def _read_watch_config(root: HostRoot) -> AutoRollbackConfig | None:
    """A damaged file counts as the default: an upgrade left it, and without a watchdog nobody would end that."""
    try:
        return read_auto_rollback(root)
    except AutoRollbackConfigError as error:
        logger.error("%s; watching as if nothing was configured", error)
        return AutoRollbackConfig()


def _read_config(root: HostRoot) -> AutoRollbackConfig | None:
    try:
        return read_auto_rollback(root)
    except AutoRollbackConfigError as error:
        raise ProgramError(str(error)) from error
