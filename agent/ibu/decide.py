"""What a pass of the upgrade's controller does: from object, facts and time to a status and a piece of work.

The passes are those of ibu-api.md 5.2. Nothing here does I/O: the caller collects the facts, writes the decided status,
runs the work's itinerary through `agent.workflow.replay`, and folds every event into the status with `agent.ibu.fold`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from agent.ibu import messages
from agent.ibu.stages import FINALIZE_REASONS, find_current_stage
from agent.ibu.transitions import (
    Situation,
    begin_stage,
    explain_refusal,
    is_rollback_retried,
    is_transition_requested,
    list_valid_next,
    refuse_stage,
    withdraw_refusals,
)
from agent.workflow.conditions import find_condition, observe_generation
from agent.workflow.history import start_stage
from crds.base import to_utc_second
from crds.imagebasedupgrade import Annotation, ImageBasedUpgrade, Reason, Stage

CLEANUP_POLL = timedelta(seconds=300)
CLEANUP_DELAY_LIMIT = timedelta(hours=1)


class Work(StrEnum):
    """The itineraries; the shell maps each to its steps."""

    PREP = "prep"
    PRE_PIVOT = "pre-pivot"
    POST_PIVOT = "post-pivot"
    ROLLBACK = "rollback"
    """Boot into the original release again."""
    CONFIRM_ROLLBACK = "confirm-rollback"
    """The original release is booted: nothing is left to do."""
    ABORT = "abort"
    FINALIZE = "finalize"


@dataclass(frozen=True, slots=True)
class Facts:
    """What a decision may look at besides the object; collected once per pass."""

    after_pivot: bool
    """The booted stateroot is the object's `desired_stateroot`."""

    rollback_expiration: datetime | None = None
    """After the pivot: when the certificates of the other stateroot expire, if known (ibu-api.md 4)."""

    cleanup_wait: timedelta | None = None
    """After a failed cleanup: time until it is tried again by itself, zero when due; None leaves it to the user."""

    drift: tuple[str, ...] = ()
    """Names of the spec's fields that differ from those Prep was run with (`agent.ibu.drift`)."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What the pass does, in this order."""

    cr: ImageBasedUpgrade
    """The object with the status to write before the work starts, if it differs from the one that was read."""

    consume_annotation: bool = False
    """Remove `Annotation.MANUAL_CLEANUP_DONE`: its request is carried out now."""

    accept_spec: bool = False
    """Remember the spec as the one that this upgrade is run with."""

    work: Work | None = None
    """What to run; None: the pass ends here."""

    requeue_after: timedelta | None = None
    """Without work: look again after this time."""


def decide(cr: ImageBasedUpgrade, facts: Facts, now: datetime) -> Decision:
    """Carry out a change of spec.stage in the conditions, and say which work is due."""
    now = to_utc_second(now)
    situation = _describe(cr, facts)
    retried = is_rollback_retried(situation)
    begins = False
    if not (retried or is_transition_requested(situation)):
        conditions = withdraw_refusals(situation.conditions)
    elif not retried and (text := _find_refusal(situation, facts)):
        conditions = refuse_stage(situation, text, generation=cr.metadata.generation, now=now)
    else:
        begins = True
        conditions = begin_stage(situation, generation=cr.metadata.generation, now=now)
    cr = _record_stage(update_status(cr, conditions=conditions), facts, now)
    decision = _choose_work(cr, facts, retry=situation.retry)
    return replace(
        decision,
        cr=observe(decision.cr, facts),
        consume_annotation=decision.consume_annotation or retried,
        accept_spec=begins and situation.wanted is Stage.PREP,
    )


def observe(cr: ImageBasedUpgrade, facts: Facts) -> ImageBasedUpgrade:
    """What every status write adds: the observed generation (ibu-api.md 2.5) and the valid next stages."""
    generation, stage = cr.metadata.generation, cr.spec.stage
    types = (stage.in_progress_type, stage.completed_type) if stage else ()
    return update_status(
        cr,
        observed_generation=generation,
        conditions=observe_generation(cr.status.conditions, types, generation),
        valid_next_stages=tuple(map(str, list_valid_next(_describe(cr, facts)))),
    )


def update_status(cr: ImageBasedUpgrade, **changes: object) -> ImageBasedUpgrade:
    """The object with some fields of its status replaced."""
    return cr.model_copy(update={"status": cr.status.model_copy(update=changes)})


def delay_cleanup(failures: int) -> timedelta:
    """How long to wait before a cleanup that has failed this many times in a row is tried again."""
    return min(CLEANUP_POLL * (1 << min(failures - 1, 10)), CLEANUP_DELAY_LIMIT)


def _describe(cr: ImageBasedUpgrade, facts: Facts) -> Situation:
    retry = Annotation.MANUAL_CLEANUP_DONE in cr.metadata.annotations
    return Situation(cr.status.conditions, cr.spec.stage, facts.after_pivot, retry)


def _find_refusal(situation: Situation, facts: Facts) -> str:
    if situation.wanted not in list_valid_next(situation):
        return explain_refusal(situation)
    if situation.wanted is Stage.UPGRADE and facts.drift:
        return messages.spec_changed(facts.drift)
    return ""


def _record_stage(cr: ImageBasedUpgrade, facts: Facts, now: datetime) -> ImageBasedUpgrade:
    """History and rollback expiration of the stage in progress."""
    running = find_current_stage(cr.status.conditions)
    if running is None:
        return cr
    if running is Stage.IDLE:
        return update_status(cr, history=())
    cr = update_status(cr, history=start_stage(cr.status.history, running, now))
    if running is Stage.UPGRADE and facts.after_pivot and cr.status.rollback_availability_expiration is None:
        cr = update_status(cr, rollback_availability_expiration=facts.rollback_expiration)
    return cr


def _choose_work(cr: ImageBasedUpgrade, facts: Facts, *, retry: bool) -> Decision:
    running = find_current_stage(cr.status.conditions)
    if running is None:
        return Decision(cr)
    if running is Stage.PREP:
        return Decision(cr, work=Work.PREP)
    if running is Stage.UPGRADE:
        return Decision(cr, work=Work.POST_PIVOT if facts.after_pivot else Work.PRE_PIVOT)
    if running is Stage.ROLLBACK:
        return Decision(cr, work=Work.ROLLBACK if facts.after_pivot else Work.CONFIRM_ROLLBACK)
    return _choose_cleanup(cr, facts, retry=retry)


def _choose_cleanup(cr: ImageBasedUpgrade, facts: Facts, *, retry: bool) -> Decision:
    """An abort or finalization that runs goes on; one that has failed waits for the annotation or its time."""
    idle = find_condition(cr.status.conditions, Stage.IDLE.in_progress_type)
    assert idle, "Idle is in progress"
    work = Work.FINALIZE if idle.reason in FINALIZE_REASONS else Work.ABORT
    if idle.reason in (Reason.ABORTING, Reason.FINALIZING):
        return Decision(cr, work=work)
    if retry or (facts.cleanup_wait is not None and facts.cleanup_wait <= timedelta(0)):
        return Decision(cr, work=work, consume_annotation=retry)
    return Decision(cr, requeue_after=CLEANUP_POLL if facts.cleanup_wait is None else facts.cleanup_wait)
