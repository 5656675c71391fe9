"""Start and completion times of stages and their phases (ibu-api.md 3). All functions are pure and repeatable.

What failed never gets a completion time. The entry of a stage that is unknown stays untouched by the other operations.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TypeAlias, TypeVar

from crds.imagebasedupgrade import History, Phase

Timeline: TypeAlias = tuple[History, ...]
_Timed = TypeVar("_Timed", History, Phase)


def start_stage(timeline: Timeline, stage: str, now: datetime) -> Timeline:
    """Append an entry for the stage unless it has one."""
    if any(entry.stage == stage and entry.start_time for entry in timeline):
        return timeline
    return (*timeline, History(stage=stage, start_time=now))


def find_start(timeline: Timeline, stage: str) -> datetime | None:
    """Return when the stage started; None when it has no entry."""
    return next((entry.start_time for entry in timeline if entry.stage == stage), None)


def stop_stage(timeline: Timeline, stage: str, now: datetime) -> Timeline:
    """Complete the stage's entry, once."""
    return _edit(timeline, stage, lambda entry: _complete(entry, now))


def start_phase(timeline: Timeline, stage: str, phase: str, now: datetime) -> Timeline:
    """Append the phase to the stage's entry unless it has been started."""

    def start(entry: History) -> History:
        if any(item.phase == phase and item.start_time for item in entry.phases):
            return entry
        return entry.model_copy(update={"phases": (*entry.phases, Phase(phase=phase, start_time=now))})

    return _edit(timeline, stage, start)


def stop_phase(timeline: Timeline, stage: str, phase: str, now: datetime) -> Timeline:
    """Complete the phase in the stage's entry, once."""

    def stop(entry: History) -> History:
        phases = tuple(_complete(item, now) if item.phase == phase else item for item in entry.phases)
        return entry.model_copy(update={"phases": phases})

    return _edit(timeline, stage, stop)


def _edit(timeline: Timeline, stage: str, edit: Callable[[History], History]) -> Timeline:
    return tuple(edit(entry) if entry.stage == stage else entry for entry in timeline)


def _complete(item: _Timed, now: datetime) -> _Timed:
    return item if item.completion_time else item.model_copy(update={"completion_time": now})
