"""The only place where the outcome of work becomes conditions and history (ibu-api.md 2.6 and 3). Pure.

Every function returns the object with its new status; the caller writes it when it differs from the last one written.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from agent.ibu import messages
from agent.ibu.decide import Facts, observe, update_status
from agent.ibu.stages import FINALIZE_REASONS, find_current_stage, is_failed
from agent.pivot.failure import fail_upgrade
from agent.workflow.conditions import Change, find_condition, reset_conditions, set_condition
from agent.workflow.history import start_phase, stop_phase, stop_stage
from agent.workflow.outcome import Done, Failed, Wait
from agent.workflow.replay import Completed, Ended, Event, Started
from agent.workflow.step import Step
from crds.base import to_utc_second
from crds.imagebasedupgrade import Annotation, ImageBasedUpgrade, Reason, Stage


def fold_event(cr: ImageBasedUpgrade, facts: Facts, event: Event, now: datetime) -> ImageBasedUpgrade:
    """Fold an event of the replay driver into the status of the stage in progress."""
    now = to_utc_second(now)
    if is_being_undone(cr):
        return _fold_undoing(cr, facts, event, now)
    match event:
        case Started():
            cr = _start_step(cr, event, now)
        case Ended(step, outcome, ends_phase):
            return fold_outcome(cr, facts, step, outcome, now, ends_phase=ends_phase)
        case Completed():
            cr = _complete_stage(cr, now)
    return observe(cr, facts)


def fold_outcome(
    cr: ImageBasedUpgrade,
    facts: Facts,
    step: Step[Any],
    outcome: Done | Wait | Failed,
    now: datetime,
    *,
    ends_phase: bool = False,
) -> ImageBasedUpgrade:
    """Fold what a step ended with: done may end its phase, waiting shows why, failed ends the stage."""
    now = to_utc_second(now)
    match outcome:
        case Done():
            if ends_phase:
                history = stop_phase(cr.status.history, get_current_stage(cr), step.phase, now)
                cr = update_status(cr, history=history)
        case Wait(message):
            cr = _show_progress(cr, message, now)
        case Failed(message):
            cr = _fail_stage(cr, get_current_stage(cr), message, now)
    return observe(cr, facts)


def fold_error(cr: ImageBasedUpgrade, facts: Facts, step: Step[Any], error: str, now: datetime) -> ImageBasedUpgrade:
    """Show an error that the step raised; the work is repeated with growing delay.

    The form in the Upgrade stage is the one that users know from its part after the pivot (upgrade-and-oadp.md 14).
    """
    doing = step.announce or step.doing or _get_plain_text(cr)
    describe = messages.failure_occurred if get_current_stage(cr) is Stage.UPGRADE else messages.error_retrying
    return observe(_show_progress(cr, describe(doing, error), to_utc_second(now)), facts)


def hide_error(cr: ImageBasedUpgrade, now: datetime) -> ImageBasedUpgrade:
    """Put the plain text of the stage in progress in the place of an error of its work."""
    shown = find_condition(cr.status.conditions, get_current_stage(cr).in_progress_type)
    if shown and messages.is_error_shown(shown.message):
        return _show_progress(cr, _get_plain_text(cr), to_utc_second(now))
    return cr


def is_being_undone(cr: ImageBasedUpgrade) -> bool:
    """No stage is in progress, since the upgrade has failed: what still runs is the automatic rollback."""
    conditions = cr.status.conditions
    return find_current_stage(conditions) is None and is_failed(conditions, Stage.UPGRADE)


def _fold_undoing(cr: ImageBasedUpgrade, facts: Facts, event: Event, now: datetime) -> ImageBasedUpgrade:
    """The reason of the rollback stays on display, unless the rollback fails."""
    match event:
        case Ended(_, Failed(message), _):
            return observe(fail_upgrade(cr, message, now), facts)
        case _:
            return observe(cr, facts)


def get_current_stage(cr: ImageBasedUpgrade) -> Stage:
    """The stage in progress. Raises ValueError when there is none: then nothing may run."""
    stage = find_current_stage(cr.status.conditions)
    if stage is None:
        raise ValueError("no stage is in progress: nothing can be folded")
    return stage


def _start_step(cr: ImageBasedUpgrade, event: Started, now: datetime) -> ImageBasedUpgrade:
    """Show what is being done. An error stays on display until the step that raised it has come to another end."""
    stage, step = get_current_stage(cr), event.step
    if step.phase:
        cr = update_status(cr, history=start_phase(cr.status.history, stage, step.phase, now))
    if stage is Stage.ROLLBACK and step.announce == messages.COMPLETING_ROLLBACK:
        cr = update_status(cr, rollback_availability_expiration=None)
    if event.announce:
        return _show_progress(cr, event.announce, now)
    return cr if event.again else hide_error(cr, now)


def _show_progress(cr: ImageBasedUpgrade, message: str, now: datetime) -> ImageBasedUpgrade:
    stage = get_current_stage(cr)
    if stage is Stage.IDLE:
        reason = Reason.FINALIZING if _is_finalizing(cr) else Reason.ABORTING
        return _set(cr, now, [Change(stage.in_progress_type, "False", reason, message)])
    return _set(cr, now, [Change(stage.in_progress_type, "True", Reason.IN_PROGRESS, message)])


def _complete_stage(cr: ImageBasedUpgrade, now: datetime) -> ImageBasedUpgrade:
    stage = get_current_stage(cr)
    if stage is Stage.IDLE:
        conditions = reset_conditions(cr.status.conditions, generation=cr.metadata.generation, now=now)
        return update_status(cr, conditions=conditions, rollback_availability_expiration=None)
    text = messages.stage_completed(stage)
    changes = (
        Change(stage.in_progress_type, "False", Reason.COMPLETED, text),
        Change(stage.completed_type, "True", Reason.COMPLETED, _describe_prep(cr) if stage is Stage.PREP else text),
    )
    return update_status(_set(cr, now, changes), history=stop_stage(cr.status.history, stage, now))


def _describe_prep(cr: ImageBasedUpgrade) -> str:
    warned = Annotation.VALIDATION_WARNING in cr.metadata.annotations
    return messages.PREP_STAGE_COMPLETED_WITH_WARNING if warned else messages.PREP_STAGE_COMPLETED


def _fail_stage(cr: ImageBasedUpgrade, stage: Stage, message: str, now: datetime) -> ImageBasedUpgrade:
    if stage is Stage.IDLE:
        reason = Reason.FINALIZE_FAILED if _is_finalizing(cr) else Reason.ABORT_FAILED
        return _set(cr, now, [Change(stage.in_progress_type, "False", reason, messages.cleanup_failed(message))])
    detail = messages.rollback_failed(message) if stage is Stage.ROLLBACK else message
    changes = (
        Change(stage.completed_type, "False", Reason.FAILED, messages.stage_failed(stage)),
        Change(stage.in_progress_type, "False", Reason.FAILED, detail),
    )
    return _set(cr, now, changes)


def _set(cr: ImageBasedUpgrade, now: datetime, changes: Iterable[Change]) -> ImageBasedUpgrade:
    conditions = cr.status.conditions
    for change in changes:
        conditions = set_condition(conditions, change, generation=cr.metadata.generation, now=now)
    return update_status(cr, conditions=conditions)


def _is_finalizing(cr: ImageBasedUpgrade) -> bool:
    idle = find_condition(cr.status.conditions, Stage.IDLE.in_progress_type)
    return idle is not None and idle.reason in FINALIZE_REASONS


def _get_plain_text(cr: ImageBasedUpgrade) -> str:
    """What is shown when a step has nothing of its own to say."""
    if get_current_stage(cr) is not Stage.IDLE:
        return messages.IN_PROGRESS
    return messages.FINALIZING if _is_finalizing(cr) else messages.ABORTING
