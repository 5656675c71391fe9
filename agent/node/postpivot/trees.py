"""Copying folders into folders that may hold something already."""

from __future__ import annotations

import stat
from pathlib import Path

from hostops import files


def merge_tree(source: Path, target: Path) -> None:
    """Copy everything below `source` into `target`, durable; files of the same name are replaced, others stay.

    Permissions are those of `source`; links stay links; what is neither file, folder nor link is left out.
    Raises OSError.
    """
    files.make_directory(target, stat.S_IMODE(source.stat().st_mode))
    for entry in sorted(source.iterdir()):
        place = target / entry.name
        if entry.is_symlink():
            place.unlink(missing_ok=True)
            place.symlink_to(entry.readlink())
            files.sync_directory(target)
        elif entry.is_dir():
            merge_tree(entry, place)
        elif entry.is_file():
            files.copy_atomically(entry, place)
