"""What the conditions say about the stages (ibu-api.md 2.1 and 2.4). Pure functions; nothing looks at spec.stage."""

from __future__ import annotations

from agent.workflow.conditions import Conditions, find_condition
from crds.imagebasedupgrade import Reason, Stage

ABORT_REASONS = frozenset({Reason.ABORTING, Reason.ABORT_FAILED})
FINALIZE_REASONS = frozenset({Reason.FINALIZING, Reason.FINALIZE_FAILED})


def is_completed(conditions: Conditions, stage: Stage) -> bool:
    """The stage ended well; for Idle: nothing is going on."""
    condition = find_condition(conditions, stage.completed_type)
    return condition is not None and condition.status == "True"


def is_failed(conditions: Conditions, stage: Stage) -> bool:
    """The stage ended badly."""
    condition = find_condition(conditions, stage.completed_type)
    return condition is not None and condition.status == "False"


def is_in_progress(conditions: Conditions, stage: Stage) -> bool:
    """The stage runs, or for Idle: an abort or a finalization runs or has failed."""
    condition = find_condition(conditions, stage.in_progress_type)
    if condition is None:
        return False
    if stage is Stage.IDLE:
        return condition.status != "True" and condition.reason in ABORT_REASONS | FINALIZE_REASONS
    return condition.status == "True"


def find_current_stage(conditions: Conditions) -> Stage | None:
    """The stage in progress. Idle is looked at first: an abort wins over a Prep that still shows True."""
    return next((stage for stage in Stage if is_in_progress(conditions, stage)), None)


def list_touched_stages(conditions: Conditions) -> frozenset[Stage]:
    """The stages but Idle that have left a condition; refused and blocked requests have not touched anything."""
    left = {item.type for item in conditions if item.reason not in (Reason.INVALID_TRANSITION, Reason.BLOCKED)}
    others = (stage for stage in Stage if stage is not Stage.IDLE)
    return frozenset(stage for stage in others if left & {stage.in_progress_type, stage.completed_type})
