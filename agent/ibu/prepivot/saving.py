"""Saves the custom resource for both ways the reboot can go (upgrade-and-oadp.md 3.2).

The new release continues with it as it is; the old one, should it be booted again without anybody's doing, shows that
the upgrade has failed.
"""

from __future__ import annotations

from agent.ibu.fold import hide_error
from agent.ibu.itineraries import StageContext
from agent.ibu.prepivot.target import locate, repeated
from agent.kube import Object
from agent.pivot.completion import STATE_DIRECTORY
from agent.pivot.failure import UNCONTROLLED_ROLLBACK, fail_saved_upgrade
from agent.pivot.saved import SavedResource
from agent.workflow.outcome import Done, Outcome
from hostops.bootid import read_boot_id
from hostops.files import make_directory
from hostops.hostroot import HostRoot
from hostops.stateroots import stateroot_path


def save_for_new_release(context: StageContext) -> Outcome:
    """Write the resource, as the server holds it now, into the new stateroot."""
    with repeated("error while exporting IBU CR to the new state root"):
        make_directory(locate(context, STATE_DIRECTORY), 0o700)
        stateroot = HostRoot(context.ports.root.path(stateroot_path(context.cr.desired_stateroot)))
        status = hide_error(context.cr, context.now()).status  # what did not work at first is not the new release's
        SavedResource(stateroot).save({**compose_saved(context), "status": status.write()})
    return Done()


def save_for_old_release(context: StageContext) -> Outcome:
    """Write a copy that has failed into the running system; it does not count before the node has been rebooted."""
    with repeated("error while exporting for uncontrolled rollback"):
        root = context.ports.root
        failed = fail_saved_upgrade(compose_saved(context), UNCONTROLLED_ROLLBACK, context.now())
        SavedResource(root, boot_id=read_boot_id(root)).save(failed, only_after_reboot=True)
    return Done()


def forget_failed_copy(context: StageContext) -> None:
    """Remove the copy of `save_for_old_release`: no reboot will follow. Raises OSError."""
    SavedResource(context.ports.root).remove()


def compose_saved(context: StageContext) -> Object:
    """Return the live resource, with the spec that the upgrade is run with should somebody have changed it."""
    raw = context.resource.raw
    return {**raw, "spec": context.cr.spec.write()} if context.facts.drift else raw
