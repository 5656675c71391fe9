"""The steps of the Rollback stage in the new release (post-pivot-and-rollback.md 13, ibu-api.md 7)."""

from __future__ import annotations

import logging
from datetime import timedelta

from agent.ibu import messages
from agent.ibu.decide import has_returned
from agent.ibu.itineraries import StageContext
from agent.ibu.telling import tell
from agent.pivot.completion import hold_verdict
from agent.pivot.decided import RollbackDecision
from agent.pivot.returns import ROLLBACK
from agent.pivot.saved import SAVED_PATH, SavedResource
from agent.pivot.watchdog import UNIT, call_off
from agent.workflow.outcome import Done, Failed, Outcome, Wait
from crds.imagebasedupgrade import Stage
from hostops.hostroot import HostRoot
from hostops.mounts import remount_writable
from hostops.ostree import Ostree, OstreeError
from hostops.reboot import OVERDUE, Rebooter
from hostops.rpmostree import DeploymentError, RpmOstree
from hostops.runner import CommandError
from hostops.stateroots import stateroot_path

log = logging.getLogger(__name__)

POLL = timedelta(seconds=30)
EXPIRATION_NOTICE = timedelta(hours=1)
"""A cluster needs minutes to come up; certificates that end so soon may not be renewed in time."""


def check_return(context: StageContext) -> Outcome:
    """A node that was rebooted for this rollback and runs the new release again would be rebooted for ever."""
    if has_returned(context.cr, context.facts.departure, Stage.ROLLBACK):
        return Failed(messages.rollback_returned(context.deployments.booted.stateroot))
    # The user has asked for it: what the operator has decided on its own is settled.
    RollbackDecision(context.ports.root).remove()
    return Done()


def prepare(context: StageContext) -> Outcome:
    """Find the original release, make the disk writable, see that the next boot can be made its."""
    runner = context.ports.runner
    try:
        index = _find_original(context)[1]
    except DeploymentError as error:
        return Failed(str(error))
    try:
        remount_writable(runner)
    except CommandError as error:
        return Failed(f"failed to remount sysroot: {error}")
    if index != 0 and not Ostree(runner).has_set_default():
        return Wait(messages.DEFAULT_DEPLOYMENT_IS_MANUAL, POLL)
    return Done()


def call_off_watchdog(context: StageContext) -> Outcome:
    """It would send the node back as well, for another reason."""
    try:
        call_off(context.ports.runner, context.ports.root)
    except (CommandError, OSError) as error:
        log.error("the watchdog could not be stopped", extra={"unit": UNIT, "reason": str(error)})
    return Done()


def save(context: StageContext) -> Outcome:
    """Let the original release know what was asked for; its folder must exist."""
    root = context.ports.root
    folder = stateroot_path(_find_original(context)[0])
    path = root.path(f"{folder}{SAVED_PATH}")
    try:
        with hold_verdict(root):
            SavedResource(HostRoot(root.path(folder))).save(context.resource.raw)
    except OSError as error:
        return Failed(f"failed to write file to {path}: open {path}: {(error.strerror or str(error)).lower()}")
    return Done()


def switch_default(context: StageContext) -> Outcome:
    """Make the original release the default of the next boot."""
    try:
        with hold_verdict(context.ports.root):
            Ostree(context.ports.runner).set_default(_find_original(context)[1])
    except (OstreeError, DeploymentError) as error:
        return Failed(str(error))
    return Done()


def reboot(context: StageContext) -> Outcome:
    """Ask for the reboot once and wait for the end; undo the switch when it is refused."""
    ports, now = context.ports, context.now()
    rebooter = Rebooter(ports.runner, ports.root)
    with hold_verdict(ports.root):
        request = rebooter.pending()
        if request is None:
            if warning := describe_expiration(context):
                tell(context, "Warning", "Reboot", messages.EVENT_REBOOT_FOR_ROLLBACK + warning)
            tell(context, "Normal", "Reboot", messages.EVENT_REBOOT_FOR_ROLLBACK)
            try:
                request = rebooter.request(ROLLBACK, now)
            except CommandError as error:
                return Failed(f"failed to reboot with systemd :{error}{_undo_switch(context)}")
    if request.is_overdue(now):
        rebooter.withdraw()
        return Failed(OVERDUE)
    return Wait(messages.COMPLETING_ROLLBACK + describe_expiration(context), request.time_left(now))


def describe_expiration(context: StageContext) -> str:
    """What the user has to know about the certificates of the original release; "" when nothing."""
    return messages.warn_of_expiration(context.facts.rollback_expiration, context.now(), EXPIRATION_NOTICE)


def _find_original(context: StageContext) -> tuple[str, int]:
    """Return name and boot index of the original release, as of now. Raises DeploymentError."""
    deployments = RpmOstree(context.ports.runner).status()
    stateroot = deployments.unbooted_stateroot()
    return stateroot, deployments.index_of(stateroot)


def _undo_switch(context: StageContext) -> str:
    """Let the next boot start the new release again; return what to add to the failure when that fails too."""
    runner = context.ports.runner
    try:
        deployments = RpmOstree(runner).status()
        if Ostree(runner).has_set_default():
            Ostree(runner).set_default(deployments.index_of(deployments.booted.stateroot))
    except (OstreeError, DeploymentError) as error:
        return f"; the next boot starts the original release all the same: {error}"
    return ""
