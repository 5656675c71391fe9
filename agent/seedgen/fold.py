"""The only place where the outcome of work becomes conditions of SeedGenerator (seed-image-and-gitops.md A.4). Pure."""

from __future__ import annotations

from datetime import datetime

from agent.seedgen import messages
from agent.workflow.conditions import Change, find_condition, set_condition
from crds.base import to_utc_second
from crds.imagebasedupgrade import Reason
from crds.seedgenerator import ConditionType, SeedGenerator


def is_settled(cr: SeedGenerator) -> bool:
    """Whether the generation has ended, well or not: nothing more happens with this object."""
    conditions = cr.status.conditions
    completed = find_condition(conditions, ConditionType.COMPLETED)
    failed = any(condition.reason == Reason.FAILED for condition in conditions)
    return failed or (completed is not None and completed.status == "True")


def show_progress(cr: SeedGenerator, message: str, now: datetime) -> SeedGenerator:
    """The object with what is going on now; the first progress is the start."""
    started = cr.status.started_at or to_utc_second(now)
    changed = _set(cr, now, Change(ConditionType.IN_PROGRESS, "True", Reason.IN_PROGRESS, message))
    return _update(changed, started_at=started)


def complete(cr: SeedGenerator, now: datetime) -> SeedGenerator:
    """The object after a generation that ended well."""
    changed = _set(
        cr,
        now,
        Change(ConditionType.IN_PROGRESS, "False", Reason.COMPLETED, messages.COMPLETED),
        Change(ConditionType.COMPLETED, "True", Reason.COMPLETED, messages.COMPLETED),
    )
    return _update(changed, completed_at=to_utc_second(now))


def fail(cr: SeedGenerator, message: str, now: datetime) -> SeedGenerator:
    """The object after a generation that failed for the reason `message`."""
    return _set(
        cr,
        now,
        Change(ConditionType.COMPLETED, "False", Reason.FAILED, messages.failed(message)),
        Change(ConditionType.IN_PROGRESS, "False", Reason.FAILED, message),
    )


def _set(cr: SeedGenerator, now: datetime, *changes: Change) -> SeedGenerator:
    conditions = cr.status.conditions
    for change in changes:
        conditions = set_condition(conditions, change, generation=cr.metadata.generation, now=to_utc_second(now))
    return _update(cr, conditions=conditions, observed_generation=cr.metadata.generation)


def _update(cr: SeedGenerator, **changes: object) -> SeedGenerator:
    return cr.model_copy(update={"status": cr.status.model_copy(update=changes)})
