"""The last steps: the new release becomes the default, and the node is rebooted (upgrade-and-oadp.md 10)."""

from __future__ import annotations

import logging

from agent.ibu import messages
from agent.ibu.itineraries import StageContext
from agent.ibu.prepivot.saving import forget_failed_copy
from agent.ibu.prepivot.target import repeated
from agent.ibu.telling import tell
from agent.workflow.outcome import Done, Failed, Outcome, Wait
from agent.workflow.step import Traits
from hostops.ostree import Ostree, OstreeError
from hostops.reboot import OVERDUE, Rebooter
from hostops.rpmostree import DeploymentError, Deployments, RpmOstree
from hostops.runner import CommandError

log = logging.getLogger(__name__)

RATIONALE = "upgrade"
REBOOT_REQUESTED = "reboot-requested"


def observe_reboot(context: StageContext) -> Traits:
    """Tell the gates whether systemd has accepted a reboot in this boot."""
    pending = Rebooter(context.ports.runner, context.ports.root).pending()
    return frozenset({REBOOT_REQUESTED} if pending else ())


def is_before_reboot(traits: Traits) -> bool:
    """The node stays up: everything is still to be done, or done once more."""
    return REBOOT_REQUESTED not in traits


def make_default(context: StageContext) -> Outcome:
    """Let the next boot be one into the new release; an older ostree has done so when the release was deployed."""
    with repeated("error while setting default deployment"):
        ostree = Ostree(context.ports.runner)
        if ostree.has_set_default():
            index = _find_index(context, RpmOstree(context.ports.runner).status())
            try:
                ostree.set_default(index)
            except OstreeError as error:
                raise OstreeError(f"failed to set default deployment at index {index}: {error}") from error
    return Done()


def find_stateroot(context: StageContext) -> Outcome:
    """Do nothing for a release that somebody has removed since Prep: there is nowhere to export to."""
    with repeated("error while setting default deployment"):
        _find_index(context, context.deployments)
    return Done()


def reboot(context: StageContext) -> Outcome:
    """Ask for the reboot, once, and wait to be ended by it; never done, since what follows is another boot's."""
    rebooter, now = Rebooter(context.ports.runner, context.ports.root), context.now()
    request = rebooter.pending()
    if request is None:
        tell(context, "Normal", "Reboot", messages.EVENT_REBOOT_FOR_UPGRADE)
        try:
            request = rebooter.request(RATIONALE, now)
        except CommandError as error:
            return _give_up(context, f"failed to reboot with systemd :{error}")
    if request.is_overdue(now):
        ended = _give_up(context, OVERDUE)
        rebooter.withdraw()
        return ended
    return Wait(messages.IN_PROGRESS, request.time_left(now))


def _find_index(context: StageContext, deployments: Deployments) -> int:
    """Return the place of the new release in the order of boots. Raises DeploymentError."""
    stateroot = context.cr.desired_stateroot
    try:
        return deployments.index_of(stateroot)
    except DeploymentError as error:
        raise DeploymentError(f"failed to get deployment index for stateroot {stateroot}: {error}") from error


def _give_up(context: StageContext, message: str) -> Outcome:
    """End the stage with the running release as the default again: no later reboot may upgrade by surprise."""
    try:
        ostree, deployments = Ostree(context.ports.runner), RpmOstree(context.ports.runner).status()
        if ostree.has_set_default():
            ostree.set_default(deployments.booted.index)
        forget_failed_copy(context)
    except (OSError, DeploymentError, OstreeError) as error:
        log.error("the new release is still the default of the next boot", extra={"reason": str(error)})
        return Failed(f"{message}; do not reboot: the next boot may be one into the new release: {error}")
    return Failed(message)
