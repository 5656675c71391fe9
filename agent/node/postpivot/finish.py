"""The end of the configuration: volumes, the unit, what was handed over."""

from __future__ import annotations

import shutil

from agent.node.command_errors import describe_command_error
from agent.node.postpivot.run import PostPivot, StepError
from hostops import files
from hostops.runner import CommandError
from seeds.handover import CLUSTER_CONFIGURATION, CONFIGURATION, LVM_DEVICES, SEED_DATA

UNIT = "installation-configuration.service"
LVM_DEVICES_FILE = "/etc/lvm/devices/system.devices"
CONFIGURED_MARK = "/var/lib/lca/node_configured"
"""Exists from when the node is the site's until what was handed over is gone."""


def recover_lvm_devices(run: PostPivot) -> None:
    """Let the node's logical volumes be found again."""
    source, target = run.root.path(LVM_DEVICES), run.root.path(LVM_DEVICES_FILE)
    if source.exists():
        files.make_directory(target.parent)
        files.copy_atomically(source, target)
    try:
        run.runner.run("pvscan", "--cache", "--activate", "ay")
    except CommandError as error:
        raise StepError(f"failed to scan and active lvm devices, err: {describe_command_error(error)}") from error


def mark_configured(run: PostPivot) -> None:
    """Note that nothing but the tidying is left: from here on a run can not start over, its input goes away."""
    mark = run.root.path(CONFIGURED_MARK)
    files.make_directory(mark.parent, 0o700)
    files.write_atomically(mark, b"")


def is_configured(run: PostPivot) -> bool:
    """Say whether an earlier run has come to the tidying, or to its end and not to that of the unit."""
    if run.root.path(CONFIGURED_MARK).exists():
        return True
    is_gone = not any(run.root.path(path).exists() for path in (CLUSTER_CONFIGURATION, SEED_DATA))
    return is_gone and run.systemd.is_enabled("kubelet")


def remove_handed_over(run: PostPivot) -> None:
    """Remove the configuration with its secrets, and the seed's description."""
    for path in (CONFIGURATION, SEED_DATA):
        folder = run.root.path(path)
        if folder.exists():
            shutil.rmtree(folder)
            files.sync_directory(folder.parent)


def forget_configured(run: PostPivot) -> None:
    """Remove the note: a node without input whose kubelet is enabled is known to be configured."""
    files.remove_durably(run.root.path(CONFIGURED_MARK))


def disable_unit(run: PostPivot) -> None:
    """Let the program not run at the next boot."""
    run.systemd.disable(UNIT)
