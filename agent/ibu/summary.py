"""The state of an upgrade in a few lines, for people and scripts (ibu-api.md 10.9). Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from crds.base import Condition, format_time
from crds.imagebasedupgrade import ImageBasedUpgrade


def summarize(ibu: ImageBasedUpgrade) -> list[str]:
    """Return the lines of the summary; scripts match their texts."""
    seed = ibu.spec.seed_image_ref
    return [
        f"Image:   {(seed and seed.image) or ''}",
        f"Version: {(seed and seed.version) or ''}",
        f"Stage:   {ibu.spec.stage or ''}",
        "Status:",
        *_describe({condition.type: condition for condition in ibu.status.conditions}),
    ]


def _describe(conditions: Mapping[str, Condition]) -> list[str]:
    for stage in ("Rollback", "Upgrade", "Prep"):
        completed, in_progress = conditions.get(f"{stage}Completed"), conditions.get(f"{stage}InProgress")
        if completed and completed.status == "True":
            return [f"  {stage} completed at: {format_time(completed.last_transition_time)}"]
        if completed and in_progress and completed.status == in_progress.status == "False":
            return [f"  {stage} failed:", *_detail(in_progress)]
        if in_progress and in_progress.status == "True":
            return [f"  {stage} in progress at: {format_time(in_progress.last_transition_time)}"]
    idle = conditions.get("Idle")
    if idle and idle.status == "True":
        return [f"  Idle. Last transition time: {format_time(idle.last_transition_time)}"]
    return ["  Idle False!!!", *_detail(idle)] if idle else ["  Unhandled state!!!"]


def _detail(condition: Condition) -> list[str]:
    return [
        f"    Time:    {format_time(condition.last_transition_time)}",
        f"    Reason:  {condition.reason}",
        f"    Message: {condition.message}",
    ]


class Span(NamedTuple):
    """A stage (`depth` 0) or one of its phases (`depth` 1) on the timeline; `end` is None while it runs or failed."""

    name: str
    depth: int
    start: datetime
    end: datetime | None


def list_spans(ibu: ImageBasedUpgrade) -> list[Span]:
    """Return the stages and phases of the history in the order in which they started."""
    return list(_walk_history(ibu))


def _walk_history(ibu: ImageBasedUpgrade) -> Iterator[Span]:
    for entry in ibu.status.history:
        if entry.start_time is None:
            continue
        yield Span(entry.stage, 0, entry.start_time, entry.completion_time)
        for phase in entry.phases:
            if phase.start_time is not None:
                yield Span(phase.phase, 1, phase.start_time, phase.completion_time)


def format_duration(duration: timedelta) -> str:
    """Return a duration as people read it: `45s`, `4m30s`, `1h02m`."""
    seconds = max(0, int(duration.total_seconds()))
    if seconds < 60:
        return f"{seconds}s"
    if seconds < 3600:
        return f"{seconds // 60}m{seconds % 60:02}s"
    return f"{seconds // 3600}h{seconds % 3600 // 60:02}m"


def draw_bar(span: Span, begin: datetime, now: datetime, *, columns: int) -> tuple[int, int]:
    """Return offset and length, in columns, of a span on a line that reaches from `begin` to `now`."""
    total = max((now - begin).total_seconds(), 1.0)
    start = int((span.start - begin).total_seconds() / total * columns)
    end = round(((span.end or now) - begin).total_seconds() / total * columns)
    start = min(max(start, 0), columns - 1)
    return start, max(1, min(end, columns) - start)


def read_clock() -> datetime:
    """Return the time in UTC."""
    return datetime.now(UTC)
