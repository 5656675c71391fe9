"""Has the node left this release since the resource was saved for its return?

The copy for an uncontrolled return is saved just before the reboot into the new release. A power loss in the moment
between leaves it behind although nothing was booted but the original release: the upgrade has not failed then, it goes
on. Only what is certain counts; in doubt the node has been away.
"""

from __future__ import annotations

import logging

from agent.kube import Object
from agent.pivot.bootorder import is_booted_default
from agent.pivot.returns import read_request
from agent.pivot.saved import SAVED_PATH
from hostops.hostroot import HostRoot
from hostops.rpmostree import DeploymentError, RpmOstree
from hostops.runner import Runner
from hostops.stateroots import stateroot_path
from seeds.handover import CONFIGURATION, place_in_stateroot

log = logging.getLogger(__name__)


def has_left(runner: Runner, root: HostRoot, saved: Object, boot_id: str) -> bool:
    """Say whether another release may have run since `saved` was written in the boot `boot_id`, an earlier one.

    It has not when no reboot had been asked for, this release was and is the default, and the one to upgrade to has
    still all that was handed over to it. Raises OSError.
    """
    request = read_request(root)
    if request is not None and request.boot_id == boot_id:
        return True
    try:
        if not is_booted_default(RpmOstree(runner).status()):
            return True
    except DeploymentError as error:
        log.warning("it can not be told whether the node has left this release", extra={"reason": str(error)})
        return True
    stateroot = _read_target(saved)
    untouched = root.path(stateroot_path(stateroot) + SAVED_PATH).exists() and not list(
        root.path(place_in_stateroot(stateroot, CONFIGURATION)).glob("*.done")
    )
    if untouched:
        log.info("the reboot into the new release never came: the upgrade goes on", extra={"stateroot": stateroot})
    return not untouched


def _read_target(saved: Object) -> str:
    from crds.imagebasedupgrade import ImageBasedUpgrade  # slow to import, and rarely needed at a start

    return ImageBasedUpgrade.read({"metadata": {"name": "upgrade"}, "spec": saved["spec"]}).desired_stateroot
