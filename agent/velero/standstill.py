"""Since when a Backup has made no progress, and whether that is too long (upgrade-and-oadp.md, proposal 8).

It is remembered on the Backup itself, where every look and every process sees it.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from agent.kube import Client, Object, errors
from agent.velero.names import BACKUP
from agent.velero.progress import measure_progress
from agent.velero.time_limit import DEFAULT_LIMIT, TimeLimitError, read_time_limit

ANNOTATION = "lca.openshift.io/backup-progress"
"""`<time> <phase and counters>`: when they were first seen so."""


def note_progress(client: Client, backup: Object, now: datetime) -> datetime:
    """Return since when the Backup stands as it does, and remember it if that is news. Raises ApiError."""
    measured, metadata = measure_progress(backup), backup["metadata"]
    noted = str((metadata.get("annotations") or {}).get(ANNOTATION, ""))
    if since := read_note(noted, measured):
        return since
    note = f"{now.astimezone(UTC).strftime('%Y-%m-%dT%H:%M:%SZ')} {measured}"
    try:
        client.patch_merge(
            BACKUP, metadata["name"], {"metadata": {"annotations": {ANNOTATION: note}}}, metadata["namespace"]
        )
    except errors.NotFound:
        return now
    return now


def is_too_long(backup: Object, standstill: timedelta, default: timedelta | None = DEFAULT_LIMIT) -> bool:
    """Tell whether the Backup has exceeded its own limit, or `default` (None: no limit). Pure."""
    try:
        limit = read_time_limit(backup["metadata"].get("annotations"), default)
    except TimeLimitError:  # refused in content; this Backup came from elsewhere
        limit = default
    return limit is not None and standstill > limit


def read_note(note: str, measured: str) -> datetime | None:
    """Return the time of a note about the same progress; None for any other text. Pure."""
    time, _, noted = note.partition(" ")
    if noted != measured:
        return None
    try:
        since = datetime.fromisoformat(time)
    except ValueError:
        return None
    return since if since.tzinfo else None
