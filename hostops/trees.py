"""Copying folders, durable like single files."""

from __future__ import annotations

import logging
import stat
from pathlib import Path

from hostops.files import copy_atomically, make_directory, sync_directory

logger = logging.getLogger(__name__)


def copy_tree(source: Path, target: Path) -> None:
    """Copy the folder `source` over `target`: modes stay, links are copied as links, and each file is replaced whole.

    What only `target` has stays. Sockets, pipes and devices are left out. Raises OSError.
    """
    make_directory(target)
    target.chmod(stat.S_IMODE(source.stat().st_mode))
    for entry in sorted(source.iterdir()):
        goal = target / entry.name
        if entry.is_symlink():
            _copy_link(entry, goal)
        elif entry.is_dir():
            copy_tree(entry, goal)
        elif entry.is_file():
            copy_atomically(entry, goal)
        else:
            logger.warning("not copied, since it is neither file, folder nor link: %s", entry)


def _copy_link(source: Path, target: Path) -> None:
    fresh = target.with_name(f".{target.name}.new")
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(source.readlink())
    fresh.replace(target)
    sync_directory(target.parent)
