"""The state of an upgrade in a few lines, for people and scripts (ibu-api.md 10.9). Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from crds.base import Condition, format_time
from crds.imagebasedupgrade import ImageBasedUpgrade, Reason, Stage

_CLEANUP_FAILURES = (Reason.ABORT_FAILED, Reason.FINALIZE_FAILED)


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


def describe_state(ibu: ImageBasedUpgrade) -> str:
    """Return what goes on in one line: the stage asked for, its running phase, and what the last condition says."""
    if not ibu.status.conditions:
        return f"{ibu.spec.stage or 'no stage'}: not looked at yet"
    phases = [phase.phase for entry in ibu.status.history[-1:] for phase in entry.phases if not phase.completion_time]
    last = ibu.status.conditions[-1]
    where = "/".join([str(ibu.spec.stage or ""), *phases[-1:]])
    text = last.message if last.message == last.reason else f"{last.reason}: {last.message}"
    return f"{where}  {text}"


def tell_ending(ibu: ImageBasedUpgrade) -> bool | None:
    """Return whether the stage asked for has ended well, or None while it goes on.

    An upgrade that failed after the pivot goes on while the node is on its way back to the original release.
    """
    stage = ibu.spec.stage
    if stage is None or ibu.status.observed_generation < ibu.metadata.generation:
        return None
    conditions = {condition.type: condition for condition in ibu.status.conditions}
    completed, in_progress = conditions.get(stage.completed_type), conditions.get(stage.in_progress_type)
    if completed is not None and completed.status == "True":
        return True
    if in_progress is not None and in_progress.reason in (Reason.INVALID_TRANSITION, *_CLEANUP_FAILURES):
        return False
    if stage is Stage.IDLE or completed is None or completed.reason != Reason.FAILED:
        return None
    returns = in_progress is not None and in_progress.message.startswith("Rollback due to")
    return None if returns and Stage.IDLE not in ibu.status.valid_next_stages else False


class Asked:
    """The stage that is followed over reboots.

    After a pivot another resource may be there until the operator puts the saved one in its place: the one that was
    in the seed. Whoever changes the stage changes it in the same resource.
    """

    def __init__(self) -> None:
        self._stage: str | None = None
        self._uid = ""

    def admits(self, ibu: ImageBasedUpgrade) -> bool:
        """Tell whether this is the resource that is followed; to be called for every state, in order."""
        if self._stage is not None and ibu.metadata.uid != self._uid and ibu.spec.stage != self._stage:
            return False
        self._stage, self._uid = ibu.spec.stage, ibu.metadata.uid
        return True


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
