"""Which boot this is: the kernel draws a new id at every start."""

from __future__ import annotations

from hostops.hostroot import HostRoot


def read_boot_id(root: HostRoot) -> str:
    """Return the id of the running boot. Raises OSError."""
    return root.path("/proc/sys/kernel/random/boot_id").read_text().strip()
