"""Which release the next boot starts: what the custom resource says must still be true after a power loss."""

from __future__ import annotations

from hostops.mounts import remount_writable
from hostops.ostree import Ostree
from hostops.rpmostree import Deployments
from hostops.runner import Runner


def is_booted_default(deployments: Deployments) -> bool:
    """Say whether the next boot starts the stateroot that is running. Raises DeploymentError."""
    return deployments.items[0].stateroot == deployments.booted.stateroot


def keep_booted(runner: Runner, deployments: Deployments) -> bool:
    """Make the running stateroot the default of the next boot, if it is not; return whether it is.

    False: this ostree can not do it, so an administrator has to. Raises CommandError, OstreeError and DeploymentError.
    """
    if is_booted_default(deployments):
        return True
    ostree = Ostree(runner)
    if not ostree.has_set_default():
        return False
    remount_writable(runner)
    ostree.set_default(deployments.index_of(deployments.booted.stateroot))
    return True
