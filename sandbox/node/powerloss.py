"""What a power loss does to files that were written and not synced."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from sandbox.node.sysroot import Deployment

WRITEBACK_SECONDS = 30.0
"""After this time the kernel has written a file back by itself."""


def find_unsynced(notes: Iterable[str], now: float) -> set[str]:
    """Paths on the node whose content was not on disk at the time `now`; see `sandbox.node.inside.unsynced`."""
    written: dict[str, float] = {}
    for line in notes:
        kind, _, rest = line.rstrip("\n").partition(" ")
        stamp, _, path = rest.partition(" ")
        if not path:
            continue  # cut off
        if kind == "w":
            written[path] = float(stamp)
        elif kind == "s":
            written.pop(path, None)
        elif kind == "r":
            source, _, target = path.partition("\t")
            for each in _list_below(written, target):
                del written[each]
            for each in _list_below(written, source):
                written[target + each.removeprefix(source)] = written.pop(each)
    return {path for path, stamp in written.items() if stamp > now - WRITEBACK_SECONDS}


def _list_below(paths: Iterable[str], root: str) -> list[str]:
    """The path itself, and those in it when it is a folder."""
    return [path for path in paths if path == root or path.startswith(f"{root}/")]


def lose_unsynced(notes: Path, deployment: Deployment, sysroot: Path, now: float) -> list[Path]:
    """Empty every file of the stopped node that was not synced, as a file system with delayed allocation leaves it.

    Only files written by our own programs are known. Returns the files; forgets the notes.
    """
    if not notes.exists():
        return []
    with notes.open(errors="surrogateescape") as file:
        paths = find_unsynced(file, now)
    lost = [path for path in (locate(each, deployment, sysroot) for each in sorted(paths)) if path.is_file()]
    for path in lost:
        os.truncate(path, 0)
    notes.unlink()
    return lost


def locate(path: str, deployment: Deployment, sysroot: Path) -> Path:
    """The machine's path of a path on the booted node."""
    for prefix, folder in (
        ("/sysroot/", sysroot),
        ("/ostree/", sysroot / "ostree"),
        ("/boot/", sysroot / "boot"),
        ("/var/", deployment.var),
        ("/opt/", deployment.var / "opt"),
    ):
        if path.startswith(prefix):
            return folder / path.removeprefix(prefix)
    return deployment.root / path.removeprefix("/")
