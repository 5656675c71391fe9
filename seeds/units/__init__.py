"""The systemd units around a seed image: those that a target starts with, and the one that brings the seed back.

The files lie beside this module (post-pivot-and-rollback.md 3).
"""

from __future__ import annotations

from importlib import resources

from hostops import files
from hostops.hostroot import HostRoot
from hostops.systemd import Systemd

CONFIGURATION_UNIT = "installation-configuration.service"
MONITOR_UNIT = "lca-init-monitor.service"
TARGET_UNITS = (CONFIGURATION_UNIT, MONITOR_UNIT)
"""Enabled in every seed: they configure the node after the pivot, and watch over that."""

RESTORE_UNIT = "lca-restore-seed.service"
"""On the seed node only, for as long as it is not what it was: started by whatever ends the creation, and at a boot."""

FOLDER = "/etc/systemd/system"
_WANTED_BY = "multi-user.target"


def read_unit(name: str) -> str:
    """Return the text of a unit file."""
    return resources.files(__name__).joinpath(name).read_text()


def enablement_links(name: str) -> tuple[str, ...]:
    """Return the host paths of the links that enable a unit."""
    return (f"{FOLDER}/{_WANTED_BY}.wants/{name}",)


def install_unit(root: HostRoot, systemd: Systemd, name: str, text: str | None = None) -> None:
    """Write a unit file (`text`: another content than the package's) and enable it. Raises OSError, CommandError."""
    files.write_atomically(root.path(f"{FOLDER}/{name}"), read_unit(name) if text is None else text, 0o644)
    systemd.enable(name)


def install_target_units(root: HostRoot, systemd: Systemd) -> None:
    """Write and enable the units that a target starts with. Raises OSError, CommandError."""
    for name in TARGET_UNITS:
        install_unit(root, systemd, name)
