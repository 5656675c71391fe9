"""Texts about backups and restores that users see in a condition (upgrade-and-oadp.md 6, 11, 14).

They are exact; what is added stands at the end.
"""

from __future__ import annotations

from collections.abc import Iterable

BACKING_UP = "Backing up Application Data"
BACKUP_IN_PROGRESS = "Backup of Application Data is in progress"
RESTORING = "Restoring Application Data"
RESTORE_IN_PROGRESS = "Restore of Application Data is in progress"

READING_BACKUPS_FAILED = "error while getting sorted backups from configmap: "
STALE_CLEANUP_FAILED = "error while handling backup: failed to cleanup stale Backups: "
FAILED_BACKUPS = "Failed backup CRs: "
FAILED_RESTORES = "Failed restore CRs: "

_LISTED = 5


def failure_occurred(doing: str, error: object) -> str:
    """What is tried again, and why it has to be."""
    return f"{doing}: Failure occurred: {error}"


def in_wave(doing: str, number: int, count: int, awaited: Iterable[str]) -> str:
    """Where the work stands: wave `number` of `count`, and what is not finished in it."""
    return f"{doing}: wave {number}/{count}, {list_some(awaited)}"


def list_some(texts: Iterable[str], shown: int = _LISTED) -> str:
    """Join by commas; those beyond `shown` are only counted."""
    listed = list(texts)
    more = len(listed) - shown
    return ", ".join(listed if more <= 0 else [*listed[:shown], f"and {more} more"])
