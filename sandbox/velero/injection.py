"""Faults that a user injects into backups and restores."""

from __future__ import annotations

import fnmatch

from sandbox.faults import Faults

PARTIALLY_FAILED, FAILED = "PartiallyFailed", "Failed"


class Injection:
    """Reads `backup-fails`, `backup-hangs`, `restore-fails`, `restore-hangs`.

    Their value is a pattern of names (all, if there is none); `PATTERN:Failed` makes the whole run fail instead of one
    object.
    """

    def __init__(self, faults: Faults | None) -> None:
        self._faults = faults

    def failure(self, what: str, name: str) -> str | None:
        """The phase in which the backup or restore `name` (`what` says which) must end, None if nothing is wrong."""
        value = self._active(f"{what}-fails", name)
        if value is None:
            return None
        return FAILED if value.endswith(f":{FAILED}") else PARTIALLY_FAILED

    def hangs(self, what: str, name: str) -> bool:
        """Whether the backup or restore must stay in progress for now."""
        return self._active(f"{what}-hangs", name) is not None

    def _active(self, fault: str, name: str) -> str | None:
        value = self._faults.active(fault) if self._faults else None
        if value is None:
            return None
        return value if fnmatch.fnmatchcase(name, value.partition(":")[0] or "*") else None
