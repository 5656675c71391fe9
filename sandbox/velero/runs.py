"""The way of a Backup or Restore through its phases."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar

from agent.kube import Kind, Object, errors
from sandbox.velero.archive import ArchiveError
from sandbox.velero.bucket import StorageError
from sandbox.velero.clock import format_time, now
from sandbox.velero.context import Context
from sandbox.velero.injection import FAILED
from sandbox.velero.report import Report

_HELD_SECONDS = 0.5
"""How often a run held by a fault is looked at again."""


class Runs(ABC):
    """All objects of one kind, worked on one at a time: accepted or refused, executed, finished."""

    kind: ClassVar[Kind]

    def __init__(self, context: Context) -> None:
        self._context = context
        self._word = self.kind.kind.lower()

    @abstractmethod
    def accept(self, obj: Object) -> Object | None:
        """Check a new object; return it in phase InProgress, or None when it failed validation."""

    @abstractmethod
    def execute(self, obj: Object) -> None:
        """Do the work and set a phase of finalizing. Raises StorageError or ArchiveError when nothing can be done."""

    @abstractmethod
    def measure_half(self, obj: Object) -> Mapping[str, int]:
        """Return the progress of a run that gets stuck half-way."""

    @abstractmethod
    def finish(self, obj: Object) -> float | None:
        """Set the final phase; if that is not possible yet, return after how many seconds to try again."""

    def recover(self) -> None:
        """At the start of the server: what was in progress is lost, as with the real one."""
        reason = f'found a {self._word} with status "InProgress" during the server starting, mark it as "Failed"'
        for obj in self._context.client.list(self.kind, self._context.namespace):
            if phase_of(obj) == "InProgress":
                self._fail(obj["metadata"]["name"], reason)

    def handle(self, name: str) -> float | None:
        """Bring the object one phase further; returns after how many seconds to look again, None: when it changes."""
        obj: Object | None = self._context.find(self.kind, name)
        key = (self.kind, name)
        if obj is None:
            self._context.running.discard(key)
            return None
        if phase_of(obj) in ("", "New"):
            obj = self.accept(obj)
            if obj is None:
                return None
            self._context.running.add(key)
        if phase_of(obj).startswith("Finalizing"):
            return self.finish(obj)
        if phase_of(obj) != "InProgress":  # somebody else has ended it
            self._context.running.discard(key)
            return None
        if key not in self._context.running:
            return None
        if self._context.injection.hangs(self._word, name):
            if "progress" not in obj["status"]:
                self._context.set_status(self.kind, name, progress=self.measure_half(obj))
            return _HELD_SECONDS
        try:
            self.execute(obj)
        except (StorageError, ArchiveError) as error:
            self._fail(name, str(error))
            return None
        finally:
            self._context.running.discard(key)
        return 0.0

    def inject_failure(self, name: str, report: Report) -> None:
        """Let the run fail if a fault says so, wholly (StorageError) or in part."""
        phase = self._context.injection.failure(self._word, name)
        reason = f"the fault {self._word}-fails is active"
        if phase == FAILED:
            raise StorageError(reason)
        if phase:
            report.fail_run(reason)

    def _fail(self, name: str, reason: str) -> None:
        try:
            self._context.set_status(
                self.kind, name, phase=FAILED, failureReason=reason, completionTimestamp=format_time(now())
            )
        except errors.NotFound:  # deleted meanwhile: nobody wants to know
            return


def phase_of(obj: Object) -> str:
    """The phase, "" for an object nobody has looked at."""
    return str((obj.get("status") or {}).get("phase", ""))


def count_problems(report: Report) -> dict[str, int]:
    """The counts for a status; those that are zero are left out, as Velero does."""
    counts = {"errors": report.errors.count, "warnings": report.warnings.count}
    return {name: count for name, count in counts.items() if count}
