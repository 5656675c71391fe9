"""Room on file systems."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class DiskSpace:
    """Size and room of one file system in bytes; `available_bytes` is what an unprivileged user could take."""

    device: int
    total_bytes: int
    available_bytes: int

    @property
    def used_percent(self) -> int:
        """Used share, rounded down; what is reserved for root counts as used (prep.md 5)."""
        if not self.total_bytes:
            return 0
        return (self.total_bytes - self.available_bytes) * 100 // self.total_bytes


def measure_disk_space(path: Path) -> DiskSpace:
    """Return the room on the file system of `path`; equal `device` means one file system. Raises OSError."""
    figures = os.statvfs(path)
    unit = figures.f_frsize
    return DiskSpace(path.stat().st_dev, figures.f_blocks * unit, figures.f_bavail * unit)
