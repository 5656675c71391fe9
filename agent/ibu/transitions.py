"""Which stage may come next, whether one is asked for, and what its beginning does to the conditions.

Pure functions of the conditions, the wanted stage and where the node is booted. Rows are numbered as in ibu-api.md 5.6;
a letter marks a row that the reference does not have, or has in one with another (docs/deviations.md).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto

from agent.ibu import messages
from agent.ibu.stages import is_completed, is_failed, is_in_progress, list_touched_stages
from agent.workflow.conditions import (
    Change,
    Conditions,
    clear_invalid,
    find_condition,
    remove_conditions,
    reset_conditions,
    set_condition,
)
from crds.imagebasedupgrade import Reason, Stage

IDLE, PREP, UPGRADE, ROLLBACK = Stage


@dataclass(frozen=True, slots=True)
class Situation:
    """What a transition depends on.

    `after_pivot`: the booted stateroot is the one that spec.seedImageRef.version names. `retry`: the user has added the
    annotation that asks to try again.
    """

    conditions: Conditions
    wanted: Stage | None
    after_pivot: bool
    retry: bool = False

    def runs_or_failed(self, stage: Stage) -> bool:
        return is_in_progress(self.conditions, stage) or is_failed(self.conditions, stage)


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the table: its number, when it holds, and the stages that are then allowed."""

    number: str
    holds: Callable[[Situation], bool]
    allows: tuple[Stage, ...] | Callable[[Situation], tuple[Stage, ...]]

    def list_stages(self, situation: Situation) -> tuple[Stage, ...]:
        return self.allows(situation) if callable(self.allows) else self.allows


def _idle_is_blocked(situation: Situation) -> bool:
    idle = find_condition(situation.conditions, IDLE.in_progress_type)
    return idle is not None and idle.reason == Reason.BLOCKED


VALID_NEXT = (
    Row("1a", lambda s: is_in_progress(s.conditions, IDLE) or is_in_progress(s.conditions, ROLLBACK), ()),
    Row("1b", lambda s: is_failed(s.conditions, ROLLBACK) and s.after_pivot, ()),
    Row("1c", lambda s: is_failed(s.conditions, ROLLBACK), (IDLE,)),
    Row("2", lambda s: s.runs_or_failed(PREP), (IDLE,)),
    Row("3a", lambda s: s.runs_or_failed(UPGRADE) and s.after_pivot, (ROLLBACK,)),
    Row("3b", lambda s: s.runs_or_failed(UPGRADE), (IDLE,)),
    Row("4", lambda s: is_completed(s.conditions, ROLLBACK), (IDLE,)),
    Row("5", lambda s: is_completed(s.conditions, UPGRADE), (IDLE, ROLLBACK)),
    Row("6", lambda s: is_completed(s.conditions, PREP), (IDLE, UPGRADE)),
    Row("7", lambda s: is_completed(s.conditions, IDLE), (PREP,)),
    Row("8", lambda s: find_condition(s.conditions, IDLE.in_progress_type) is None, (IDLE,)),
    Row("9", _idle_is_blocked, lambda s: (s.wanted,) if s.wanted else ()),
    Row("10a", lambda s: not list_touched_stages(s.conditions) and not s.after_pivot, (IDLE,)),
    Row("10", lambda s: True, ()),
)


def find_row(situation: Situation) -> Row:
    """The row of the table that holds; the first match wins."""
    return next(row for row in VALID_NEXT if row.holds(situation))


def list_valid_next(situation: Situation) -> tuple[Stage, ...]:
    """The stages that spec.stage may be set to now, in the order in which users see them."""
    return find_row(situation).list_stages(situation)


def is_transition_requested(situation: Situation) -> bool:
    """spec.stage asks for something that has not begun (ibu-api.md 5.7); a failed stage is not asked for again."""
    conditions, wanted = situation.conditions, situation.wanted
    if wanted is None or is_in_progress(conditions, wanted):
        return False
    if wanted is IDLE:
        return not is_completed(conditions, IDLE)
    return find_condition(conditions, wanted.completed_type) is None


def is_rollback_retried(situation: Situation) -> bool:
    """The user asks to repeat a rollback that failed while the node stays booted into the new release.

    spec.stage says Rollback already, and nothing else may follow, so the annotation is what asks.
    """
    failed = situation.wanted is ROLLBACK and is_failed(situation.conditions, ROLLBACK)
    return failed and situation.after_pivot and situation.retry


def explain_refusal(situation: Situation) -> str:
    """Why the wanted stage is not among the valid ones (ibu-api.md 5.8)."""
    conditions = situation.conditions
    if situation.wanted in (PREP, UPGRADE):
        return messages.PREVIOUS_STAGE_NOT_SUCCEEDED
    if situation.wanted is ROLLBACK:
        return messages.NOTHING_TO_ROLL_BACK
    if is_failed(conditions, ROLLBACK):
        return messages.IDLE_REFUSED_ROLLBACK_FAILED
    if not situation.after_pivot:
        return messages.IDLE_REFUSED
    if is_in_progress(conditions, ROLLBACK):
        return messages.IDLE_REFUSED_ROLLBACK_IN_PROGRESS
    return messages.IDLE_REFUSED_ROLLBACK_FIRST


class Ending(Enum):
    """What going back to Idle means."""

    RESET = auto()
    """Nothing has happened yet: there is nothing to clean up."""
    ABORT = auto()
    """Give the upgrade up: remove what was prepared."""
    FINALIZE = auto()
    """Accept the release that is booted, once it is healthy: remove the other one."""


def choose_ending(conditions: Conditions, *, after_pivot: bool) -> Ending:
    """What a valid request for Idle does (ibu-api.md 5.8); called with refused transitions taken back."""
    touched = list_touched_stages(conditions)
    if not touched and find_condition(conditions, IDLE.in_progress_type) is None:
        return Ending.RESET
    ended = is_completed(conditions, UPGRADE) or ROLLBACK in touched
    # With nothing but Prep's traces there is no other release to go back to, wherever the node is booted.
    return Ending.FINALIZE if ended or (after_pivot and UPGRADE in touched) else Ending.ABORT


_BEGINNINGS: dict[Stage, tuple[Change, ...]] = {
    PREP: (
        Change(IDLE.in_progress_type, "False", Reason.IN_PROGRESS, messages.IN_PROGRESS),
        Change(PREP.in_progress_type, "True", Reason.IN_PROGRESS, messages.IN_PROGRESS),
    ),
    UPGRADE: (Change(UPGRADE.in_progress_type, "True", Reason.IN_PROGRESS, messages.IN_PROGRESS),),
    ROLLBACK: (
        Change(UPGRADE.completed_type, "False", Reason.FAILED, messages.ROLLBACK_REQUESTED),
        Change(UPGRADE.in_progress_type, "False", Reason.FAILED, messages.ROLLBACK_REQUESTED),
        Change(ROLLBACK.in_progress_type, "True", Reason.IN_PROGRESS, messages.IN_PROGRESS),
    ),
}
_ABORT = Change(IDLE.in_progress_type, "False", Reason.ABORTING, messages.ABORTING)
_FINALIZE = Change(IDLE.in_progress_type, "False", Reason.FINALIZING, messages.FINALIZING)


def begin_stage(situation: Situation, *, generation: int, now: datetime) -> Conditions:
    """The conditions with which the wanted stage, a valid one, begins (ibu-api.md 2.6)."""
    conditions = clear_invalid(situation.conditions, generation=generation, now=now)
    if situation.wanted is None or situation.wanted is IDLE:
        ending = choose_ending(conditions, after_pivot=situation.after_pivot)
        if ending is Ending.RESET:
            return reset_conditions(conditions, generation=generation, now=now)
        changes: tuple[Change, ...] = (_ABORT,) if ending is Ending.ABORT else (_FINALIZE,)
    else:
        changes = _BEGINNINGS[situation.wanted]
        conditions = remove_conditions(conditions, [situation.wanted.completed_type])
    for change in changes:
        conditions = set_condition(conditions, change, generation=generation, now=now)
    return conditions


def refuse_stage(situation: Situation, text: str, *, generation: int, now: datetime) -> Conditions:
    """Record that the wanted stage is not allowed; earlier refusals of other stages are taken back."""
    if situation.wanted is None:
        return situation.conditions
    refused = situation.wanted.in_progress_type
    conditions = withdraw_refusals(situation.conditions, keep=refused)
    change = Change(refused, "False", Reason.INVALID_TRANSITION, text)
    return set_condition(conditions, change, generation=generation, now=now)


def withdraw_refusals(conditions: Conditions, keep: str = "") -> Conditions:
    """Take refusals back as if they had never been: the list is what it was before.

    A refused Idle had stood first, since the first stage after Idle puts it there.
    """
    refused = [c for c in conditions if c.reason == Reason.INVALID_TRANSITION and c.type != keep]
    rest = remove_conditions(conditions, [c.type for c in refused])
    restored = {"reason": Reason.IN_PROGRESS, "message": messages.IN_PROGRESS}
    idle = [c.model_copy(update=restored) for c in refused if c.type == IDLE.in_progress_type]
    return (*idle, *rest)
