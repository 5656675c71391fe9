"""The automatic way back: the original release gets the reason, becomes the default, and is booted.

Programs on the host and the operator take the same way (post-pivot-and-rollback.md 11.3). The reason is saved before
anything is switched; each part can be repeated.
"""

from __future__ import annotations

from datetime import datetime

from agent.kube import Object
from agent.pivot.completion import hold_verdict, is_completed
from agent.pivot.failure import fail_saved_upgrade
from agent.pivot.saved import SAVED_PATH, Damaged, SavedResource
from hostops.hostroot import HostRoot
from hostops.mounts import remount_writable
from hostops.ostree import Ostree, OstreeError
from hostops.reboot import Rebooter, RebootRequest
from hostops.rpmostree import DeploymentError, RpmOstree
from hostops.runner import CommandError, Runner
from hostops.stateroots import stateroot_path


class RollbackError(Exception):
    """The node could not be sent back; the text says which part failed and why."""


class AlreadyCompleted(Exception):  # noqa: N818 - not an error: there is nothing to roll back
    """The upgrade has completed: nothing may roll it back by itself any more."""


def initiate_rollback(
    runner: Runner, root: HostRoot, message: str, now: datetime, *, unless_saved: Object | None = None
) -> RebootRequest:
    """Send the node back to the other stateroot; the upgrade there failed for the reason `message`.

    `unless_saved` is saved there where no resource is: one that was booted before, by hand, has used its own up.
    Returns when the reboot is accepted. Raises RollbackError, and AlreadyCompleted.
    """
    try:
        with hold_verdict(root):
            if is_completed(root):
                raise AlreadyCompleted
            save_reason(root, prepare_way_back(runner), message, now, unless_saved)
            switch_default(runner)
            return request_reboot(runner, root, now)
    except OSError as error:
        raise RollbackError(f"unable to auto rollback: {error}") from error


def prepare_way_back(runner: Runner) -> str:
    """Return the stateroot to go back to, with `/sysroot` writable. Raises RollbackError."""
    if not Ostree(runner).has_set_default():
        raise RollbackError("automatic rollback not supported in this release")
    try:
        stateroot = RpmOstree(runner).status().unbooted_stateroot()
    except DeploymentError as error:
        raise RollbackError(f"unable to determine stateroot path for rollback: {error}") from error
    try:
        remount_writable(runner)
    except CommandError as error:
        raise RollbackError(f"unable to remount sysroot: {error}") from error
    return stateroot


def save_reason(
    root: HostRoot, stateroot: str, message: str, now: datetime, unless_saved: Object | None = None
) -> None:
    """Write into the saved resource of `stateroot` why its upgrade failed. Raises RollbackError."""
    path = f"{stateroot_path(stateroot)}{SAVED_PATH}"
    saved = SavedResource(HostRoot(root.path(stateroot_path(stateroot))))
    try:
        saved.save(fail_saved_upgrade(_load(saved, path, unless_saved), message, now))
    except (OSError, ValueError) as error:
        raise RollbackError(f"unable to read saved IBU CR from {path}: {error}") from error


def switch_default(runner: Runner) -> None:
    """Make the other stateroot's first deployment the default of the next boot. Raises RollbackError."""
    try:
        deployments = RpmOstree(runner).status()
        Ostree(runner).set_default(deployments.index_of(deployments.unbooted_stateroot()))
    except (CommandError, DeploymentError, OstreeError) as error:
        raise RollbackError(f"unable to set default deployment for rollback: {error}") from error


def request_reboot(runner: Runner, root: HostRoot, now: datetime) -> RebootRequest:
    """Ask for the reboot, once per boot. Raises RollbackError and OSError."""
    try:
        return Rebooter(runner, root).request("rollback", now)
    except CommandError as error:
        raise RollbackError(f"failed to reboot with systemd :{error}") from error


def _load(saved: SavedResource, path: str, otherwise: Object | None) -> Object:
    match saved.load():
        case None | Damaged() if otherwise is not None:
            return otherwise
        case None:
            raise RollbackError(f"unable to read saved IBU CR from {path}: there is no such file")
        case Damaged(reason, moved_to):
            raise RollbackError(f"unable to read saved IBU CR from {path}: {reason}; it was moved to {moved_to}")
        case found:
            return found
