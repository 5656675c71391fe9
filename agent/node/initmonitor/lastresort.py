"""The way back when the proper one does not work: the parts one by one, each tolerating the failure of the others.

Only the watchdog goes it, after its attempts in order have failed. Without a default to boot there is no way back;
everything else (the saved reason, the lock, the note of the reboot) may be missing.
"""

from __future__ import annotations

import json
import logging
import os
import re
from datetime import datetime

from agent.node.ending import ProgramError
from agent.pivot.completion import is_completed
from hostops.hostroot import HostRoot
from hostops.mounts import remount_writable
from hostops.ostree import Ostree, OstreeError
from hostops.rpmostree import Deployment, DeploymentError, Deployments, RpmOstree
from hostops.runner import CommandError, Runner
from hostops.stateroots import stateroot_path

logger = logging.getLogger(__name__)

_STATUS_LINE = re.compile(r"^([ *]) (\S+) ([0-9a-f]+)\.(\d+)", re.MULTILINE)


def force_way_back(runner: Runner, root: HostRoot, message: str, now: datetime) -> bool:
    """Make the other stateroot the default of the next boot, whatever else does not work.

    False: the upgrade has completed meanwhile, nothing was changed. Raises ProgramError when the default can not be
    switched: the node stays as it is then, for somebody to look at.
    """
    try:
        deployments = read_deployments(runner)
        stateroot = deployments.unbooted_stateroot()
        index = deployments.index_of(stateroot)
    except DeploymentError as error:
        raise ProgramError(f"unable to auto rollback: {error}") from error
    try:
        remount_writable(runner)
    except CommandError as error:
        logger.error("unable to remount sysroot: %s", error)
    save_reason_anyhow(root, stateroot, message, now)
    if is_completed(root):
        return False
    try:
        Ostree(runner).set_default(index)
    except OstreeError as error:
        raise ProgramError(f"unable to auto rollback: {error}") from error
    return True


def read_deployments(runner: Runner) -> Deployments:
    """Return the deployments, as ostree itself lists them if rpm-ostree's service is down. Raises DeploymentError."""
    try:
        return RpmOstree(runner).status()
    except DeploymentError as error:
        logger.error("asking ostree itself: %s", error)
    try:
        return parse_status(runner.run("ostree", "admin", "status", stdout_only=True).output)
    except CommandError as error:
        raise DeploymentError(f"failed to list deployments: {error}") from error


def parse_status(status: str) -> Deployments:
    """Read the output of `ostree admin status`: deployments in boot order, the running one with an asterisk."""
    found = _STATUS_LINE.findall(f"  {status.lstrip()}" if status[:1] not in (" ", "*") else status)
    return Deployments(
        tuple(
            Deployment(index, f"{stateroot}-{checksum}.{serial}", stateroot, mark == "*", checksum)
            for index, (mark, stateroot, checksum, serial) in enumerate(found)
        )
    )


def save_reason_anyhow(root: HostRoot, stateroot: str, message: str, now: datetime) -> None:
    """Write into the saved resource of `stateroot` why its upgrade failed: beside it and renamed, or over it."""
    from agent.pivot.rollback import RollbackError, save_reason

    try:
        return save_reason(root, stateroot, message, now)
    except RollbackError as error:
        logger.error("%s", error)
    try:
        overwrite_reason(root, stateroot, message, now)
    except (OSError, ValueError) as error:
        logger.error("the reason is lost, the upgrade will be shown as rolled back by nobody: %s", error)


def overwrite_reason(root: HostRoot, stateroot: str, message: str, now: datetime) -> None:
    """Write over the saved resource in the blocks that it has, for want of others. Raises OSError, ValueError.

    What the server would not take back is left out, to make room. A power loss in the middle damages the file.
    """
    from agent.pivot.failure import fail_saved_upgrade
    from agent.pivot.saved import SAVED_PATH

    path = root.path(f"{stateroot_path(stateroot)}{SAVED_PATH}")
    old = path.read_bytes()
    failed = fail_saved_upgrade(json.loads(old), message, now)
    failed["metadata"] = {key: value for key, value in (failed.get("metadata") or {}).items() if key != "managedFields"}
    new = json.dumps(failed, separators=(",", ":"), ensure_ascii=False).encode()
    with path.open("r+b", buffering=0) as file:
        try:
            _write_whole(file.fileno(), new)
        except OSError:
            _write_whole(file.fileno(), old)
            raise


def _write_whole(descriptor: int, content: bytes) -> None:
    written = 0
    while written < len(content):
        written += os.pwrite(descriptor, content[written:], written)
    os.ftruncate(descriptor, len(content))
    os.fsync(descriptor)
