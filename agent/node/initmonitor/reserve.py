"""Space that is set aside while there is some: a full disk must not keep the reason of a rollback from being saved.

Both stateroots lie in one file system; what is set aside in one is room in the other.
"""

from __future__ import annotations

import logging
import os

from hostops import files
from hostops.hostroot import HostRoot

logger = logging.getLogger(__name__)

RESERVE_FILE = "/var/lib/lca/init_monitor_reserve"
RESERVE_BYTES = 2 * 1024 * 1024
"""A saved resource is limited to less, and its new version is written beside the old one."""


class Reserve:
    """The reserved space of one root."""

    def __init__(self, root: HostRoot) -> None:
        self._path = root.path(RESERVE_FILE)

    def make(self) -> None:
        """Set the space aside; without it the watchdog is as good as before, but for a full disk."""
        try:
            files.make_directory(self._path.parent, 0o700)
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                os.posix_fallocate(descriptor, 0, RESERVE_BYTES)
            finally:
                os.close(descriptor)
        except OSError as error:
            logger.warning("no space could be set aside in %s: %s", RESERVE_FILE, error)

    def release(self) -> None:
        """Give the space back; absence is fine."""
        try:
            files.remove_durably(self._path)
        except OSError as error:
            logger.warning("%s stays: %s", RESERVE_FILE, error)
