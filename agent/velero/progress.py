"""What the status of a Backup or Restore says (upgrade-and-oadp.md 6.4, 11). Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from enum import Enum
from typing import Any

PARTIALLY_FAILED = "PartiallyFailed"
FAILED_VALIDATION = "FailedValidation"

_FAILED = ("Failed", PARTIALLY_FAILED, FAILED_VALIDATION)
_RUNNING = ("InProgress", "WaitingForPluginOperations", "Finalizing")
_WORTH_TELLING = timedelta(minutes=5)


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


def describe_progress(obj: Mapping[str, Any], standstill: timedelta = timedelta(0)) -> str:
    """Return name, phase and items, `small-app InProgress 120/340 items`, and a long standstill."""
    told = f" (no progress for {int(standstill.total_seconds()) // 60} min)" if standstill >= _WORTH_TELLING else ""
    return f"{obj['metadata']['name']} {measure_progress(obj) or 'not started yet'}{told}"


def measure_progress(obj: Mapping[str, Any]) -> str:
    """Return phase and counters in one line: it changes with every step that Velero makes."""
    status = read_status(obj)
    progress = status.get("progress") or {}
    counted = [read_phase(obj)]
    if total := progress.get("totalItems"):
        counted.append(f"{progress.get('itemsBackedUp', progress.get('itemsRestored', 0))}/{total} items")
    for word in ("backup", "restore"):
        if total := status.get(f"{word}ItemOperationsAttempted"):
            counted.append(f"{status.get(f'{word}ItemOperationsCompleted', 0)}/{total} operations")
    return " ".join(filter(None, counted))
