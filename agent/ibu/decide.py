"""What a pass of the upgrade's controller does: from object, facts and time to a status and a piece of work.

The passes are those of ibu-api.md 5.2. Nothing here does I/O: the caller collects the facts, writes the decided status,
runs the work's itinerary through `agent.workflow.replay`, and folds every event into the status with `agent.ibu.fold`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from agent.ibu import messages
from agent.ibu.stages import FINALIZE_REASONS, find_current_stage, is_failed
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
from agent.pivot import returns
from agent.pivot.decided import DecidedRollback
from agent.pivot.failure import UNCONTROLLED_ROLLBACK, fail_upgrade
from agent.pivot.returns import Departure
from agent.workflow.conditions import find_condition, observe_generation
from agent.workflow.history import find_start, start_stage
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
    AUTOMATIC_ROLLBACK = "automatic-rollback"
    """The upgrade has failed after the pivot: send the node back. No stage is in progress then."""
    ABORT = "abort"
    FINALIZE = "finalize"


@dataclass(frozen=True, slots=True)
class Facts:
    """What a decision may look at besides the object; collected once per pass."""

    after_pivot: bool
    """The booted stateroot is the object's `desired_stateroot`."""

    rollback_expiration: datetime | None = None
    """After the pivot: until when the other stateroot can be booted safely, if known (ibu-api.md 4)."""

    cleanup_wait: timedelta | None = None
    """After a failed cleanup: time until it is tried again by itself, zero when due; None leaves it to the user."""

    drift: tuple[str, ...] = ()
    """Names of the spec's fields that differ from those Prep was run with (`agent.ibu.drift`)."""

    spec_accepted: bool = True
    """This stateroot remembers which spec the upgrade is run with."""

    departure: Departure | None = None
    """The last reboot that was asked for in an earlier boot of this stateroot."""

    rollback: DecidedRollback | None = None
    """The automatic rollback that was decided on in this stateroot."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What the pass does, in this order."""

    cr: ImageBasedUpgrade
    """The object with the status to write before the work starts, if it differs from the one that was read."""

    consume_annotation: bool = False
    """Remove `Annotation.MANUAL_CLEANUP_DONE`: its request is carried out now."""

    accept_spec: bool = False
    """Remember the spec as the one that this upgrade is run with."""

    forget_departure: bool = False
    """Before the status is written, forget an earlier departure: for the stage that begins it means nothing."""

    forget_rollback: bool = False
    """After the status is written, forget the decided rollback: it has been dealt with."""

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
    if begins:
        facts = replace(facts, departure=None)
    cr = _record_stage(update_status(cr, conditions=conditions), facts, now)
    decision = _see_truth(cr, facts, now) or _choose_work(cr, facts, retry=situation.retry)
    return replace(
        decision,
        cr=observe(decision.cr, facts),
        consume_annotation=decision.consume_annotation or retried,
        accept_spec=(begins and situation.wanted is Stage.PREP)
        or (decision.work is Work.POST_PIVOT and not facts.spec_accepted),
        forget_departure=begins,
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


def has_returned(cr: ImageBasedUpgrade, departure: Departure | None, stage: Stage) -> bool:
    """Say whether the node was rebooted for `stage`, Upgrade or Rollback, and is still where it was before."""
    rationale = {Stage.UPGRADE: returns.UPGRADE, Stage.ROLLBACK: returns.ROLLBACK}[stage]
    started = find_start(cr.status.history, stage)
    if departure is None or started is None or departure.rationale != rationale:
        return False
    return departure.requested_at >= started


def _see_truth(cr: ImageBasedUpgrade, facts: Facts, now: datetime) -> Decision | None:
    """What has happened while nobody could write it down: a boot that nobody asked for, a rollback cut short."""
    running = find_current_stage(cr.status.conditions)
    if not facts.after_pivot:
        if running is Stage.UPGRADE and has_returned(cr, facts.departure, Stage.UPGRADE):
            return Decision(fail_upgrade(cr, UNCONTROLLED_ROLLBACK, now))
        return None
    ended = running is None and is_failed(cr.status.conditions, Stage.UPGRADE)
    if facts.rollback is None or not (running is Stage.UPGRADE or ended):
        return None
    if facts.rollback.returned:
        message = messages.automatic_rollback_returned(facts.rollback.detail)
        return Decision(fail_upgrade(cr, message, now), forget_rollback=True)
    return Decision(fail_upgrade(cr, facts.rollback.message, now), work=Work.AUTOMATIC_ROLLBACK)


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
