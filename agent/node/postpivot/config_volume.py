"""The configuration of a node that was installed from an image comes on a volume that is attached at any time."""

from __future__ import annotations

import json
import logging
from typing import Any

from agent.node.command_errors import describe_command_error
from agent.node.postpivot.run import PostPivot, StepError
from agent.node.waiting import TimedOut, wait_for
from hostops import files
from hostops.runner import CommandError
from hostops.trees import copy_tree
from seeds.handover import CLUSTER_CONFIGURATION, CONFIGURATION

logger = logging.getLogger(__name__)

LABELS = ("cluster-config", "relocation-config")
MOUNT_POINT = "/mnt/config"


def wait_for_configuration(run: PostPivot) -> None:
    """Return when the configuration is there: handed over by an upgrade, or copied from the volume."""
    problem = ""

    def look() -> bool | None:
        nonlocal problem
        if run.root.path(CLUSTER_CONFIGURATION).is_dir():
            return True
        try:
            device = find_config_device(run.runner.run(*_LSBLK, stdout_only=True).output)
        except (CommandError, ValueError) as error:
            problem = f"lsblk: {error}"
            return None
        problem = ""
        if device is None:
            return None
        copy_configuration(run, f"/dev/{device}")
        return True

    what = f"{CLUSTER_CONFIGURATION}, or a volume labelled {' or '.join(LABELS)}"
    try:
        wait_for(look, what, run.clock, timeout_seconds=run.wait_seconds, last_seen=lambda: problem)
    except TimedOut as error:
        raise StepError(str(error)) from error


_LSBLK = ("lsblk", "-f", "--json", "--output", "NAME,LABEL")


def find_config_device(listing: str) -> str | None:
    """Return the name of the first device with the volume's label; partitions do not count. Raises ValueError."""
    try:
        devices: list[dict[str, Any]] = json.loads(listing)["blockdevices"]
        return next((str(device["name"]) for device in devices if device.get("label") in LABELS), None)
    except (TypeError, LookupError, AttributeError) as error:
        raise ValueError(f"unexpected output: {error!r}") from error


def copy_configuration(run: PostPivot, device: str) -> None:
    """Copy the content of the volume; the folder that ends the waiting appears last, and whole. Raises StepError."""
    mount_point, target = run.root.path(MOUNT_POINT), run.root.path(CONFIGURATION)
    files.make_directory(target, 0o700)
    files.make_directory(mount_point, 0o700)
    if not mount_point.is_mount():  # a killed run may have left it
        try:
            run.runner.run("mount", device, MOUNT_POINT)
        except CommandError as error:
            text = f"failed to mount {device} into {MOUNT_POINT}, err: {describe_command_error(error)}"
            raise StepError(f"failed to mount {MOUNT_POINT}: {text}") from error
    name = CLUSTER_CONFIGURATION.rpartition("/")[2]
    fresh = target / f".{name}.new"
    for entry in sorted(mount_point.iterdir()):
        if entry.name == name:
            copy_tree(entry, fresh)
        elif entry.is_dir():
            copy_tree(entry, target / entry.name)
        elif entry.is_file():
            files.copy_atomically(entry, target / entry.name)
    try:
        run.runner.run("umount", device)
        mount_point.rmdir()  # never more than an empty folder: the volume may still be mounted there
    except (CommandError, OSError) as error:
        logger.warning("the configuration volume stays mounted at %s: %s", MOUNT_POINT, error)
    if fresh.is_dir():
        fresh.rename(target / name)
        files.sync_directory(target)
