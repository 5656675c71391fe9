"""What the status of a Backup or Restore says (upgrade-and-oadp.md 6.4, 11). Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import Enum
from typing import Any

PARTIALLY_FAILED = "PartiallyFailed"
FAILED_VALIDATION = "FailedValidation"

_FAILED = ("Failed", PARTIALLY_FAILED, FAILED_VALIDATION)
_RUNNING = ("InProgress", "WaitingForPluginOperations", "Finalizing")

WORTH_TELLING = timedelta(minutes=5)
"""From when on a standstill is mentioned."""


class Standing(Enum):
    """How far Velero is with a Backup or Restore."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    PENDING = "pending"
    PROGRESSING = "progressing"


def judge(obj: Mapping[str, Any]) -> Standing:
    """Classify an object by its phase; a phase nobody knows yet counts as progress."""
    match read_phase(obj):
        case "Completed":
            return Standing.SUCCEEDED
        case phase if phase in _FAILED:
            return Standing.FAILED
        case "":
            return Standing.PENDING
    return Standing.PROGRESSING


def read_phase(obj: Mapping[str, Any]) -> str:
    """Return the phase; empty while Velero has not looked at the object."""
    return str(read_status(obj).get("phase") or "")


def read_status(obj: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the status, empty when there is none."""
    status: Mapping[str, Any] = obj.get("status") or {}
    return status


def is_running(obj: Mapping[str, Any]) -> bool:
    """Tell whether Velero works on the object now; a running Backup can not be deleted."""
    return read_phase(obj).startswith(_RUNNING)


def describe_progress(obj: Mapping[str, Any], now: datetime | None = None) -> str:
    """Return name, phase and items: `small-app InProgress 120/340 items`; with `now` also a long standstill."""
    name, phase = obj["metadata"]["name"], read_phase(obj)
    progress = read_status(obj).get("progress") or {}
    total = progress.get("totalItems")
    done = progress.get("itemsBackedUp", progress.get("itemsRestored", 0))
    text = f"{name} {phase or 'not started yet'}" + (f" {done}/{total} items" if phase and total else "")
    standstill = (now - find_last_sign(obj)) if now else timedelta(0)
    if standstill < WORTH_TELLING:
        return text
    return f"{text} (no progress for {int(standstill.total_seconds()) // 60} min)"


def find_last_sign(obj: Mapping[str, Any]) -> datetime:
    """Return when the status last changed.

    The API server notes the time of every change for each writer, so nothing has to be remembered from one look to the
    next. Without these notes the start of the run has to do.
    """
    metadata = obj["metadata"]
    times = [
        entry["time"]
        for entry in metadata.get("managedFields") or ()
        if entry.get("time") and "f:status" in (entry.get("fieldsV1") or {})
    ]
    started = read_status(obj).get("startTimestamp") or metadata["creationTimestamp"]
    return max(map(datetime.fromisoformat, times or [started]))
