"""Real: ostree, mounts, file systems that are full or read-only."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.host.pivotednode import PivotedNode, boot_pivoted


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[PivotedNode]:
    """The same on a disk of its own; `/run` is no part of it, as on every node."""
    disk = tmp_path / "node"
    for folder, size in ((disk, "16m"), (disk / "run", "1m")):
        folder.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], check=True)
    pivoted = boot_pivoted(disk)
    yield pivoted
    pivoted.node.destroy()
    subprocess.run(["umount", "-l", str(disk / "run"), str(disk)], check=True)
