"""Condition lists: setting, resetting and clearing with the order that users see (ibu-api.md 2.3).

`kubectl get` shows the last condition, so what changed last moves to the end. All functions are pure; `now` and the
generation come from the caller.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Literal, NamedTuple, TypeAlias

from crds.base import Condition
from crds.imagebasedupgrade import Reason, Stage

Conditions: TypeAlias = tuple[Condition, ...]
Status: TypeAlias = Literal["True", "False"]

IDLE = Stage.IDLE.in_progress_type
IN_PROGRESS_TEXT = "In progress"
MESSAGE_LIMIT = 32768


class Change(NamedTuple):
    """What a condition is set to."""

    type: str
    status: Status
    reason: str
    message: str


def find_condition(conditions: Conditions, type_: str) -> Condition | None:
    """The condition of a type, or None."""
    return next((condition for condition in conditions if condition.type == type_), None)


def truncate_message(message: str, limit: int = MESSAGE_LIMIT) -> str:
    """Cut out the middle of a message longer than the API allows (in characters); head and tail tell the most."""
    if len(message) <= limit:
        return message
    mark = f"\n... {len(message)} characters in all, the middle is left out ...\n"
    head = (limit - len(mark)) // 2
    tail = limit - len(mark) - head
    return message[:head] + mark + message[-tail:]


def set_condition(conditions: Conditions, change: Change, *, generation: int, now: datetime) -> Conditions:
    """Set a condition: it moves to the end when its status changes or it is Idle, and is else updated where it stands.

    lastTransitionTime becomes `now` when the condition is new, has moved, or has changed its status.
    """
    old = find_condition(conditions, change.type)
    if old and old != conditions[-1] and (old.status != change.status or old.type == IDLE):
        conditions = remove_conditions(conditions, [old.type])
        old = None
    return _upsert(conditions, old, change, generation, now)


def _upsert(
    conditions: Conditions, old: Condition | None, change: Change, generation: int, now: datetime
) -> Conditions:
    transition = now if old is None or old.status != change.status else old.last_transition_time
    new = Condition(
        type=change.type,
        status=change.status,
        reason=change.reason,
        message=truncate_message(change.message),
        observed_generation=generation,
        last_transition_time=transition,
    )
    return (*conditions, new) if old is None else tuple(new if item is old else item for item in conditions)


def reset_conditions(conditions: Conditions, *, generation: int, now: datetime) -> Conditions:
    """Drop every condition but Idle, and set that one to True."""
    idle = find_condition(conditions, IDLE)
    return _upsert((idle,) if idle else (), idle, Change(IDLE, "True", Reason.IDLE, "Idle"), generation, now)


def remove_conditions(conditions: Conditions, types: Iterable[str]) -> Conditions:
    """Drop the conditions of these types."""
    dropped = frozenset(types)
    return tuple(condition for condition in conditions if condition.type not in dropped)


def clear_invalid(conditions: Conditions, *, generation: int, now: datetime) -> Conditions:
    """Take back refused transitions: an Idle that says so is in progress again, other conditions that say so vanish."""
    for condition in conditions:
        if condition.reason != Reason.INVALID_TRANSITION:
            continue
        if condition.type == IDLE:
            change = Change(IDLE, "False", Reason.IN_PROGRESS, IN_PROGRESS_TEXT)
            conditions = set_condition(conditions, change, generation=generation, now=now)
        else:
            conditions = remove_conditions(conditions, [condition.type])
    return conditions


def observe_generation(conditions: Conditions, types: Iterable[str], generation: int) -> Conditions:
    """Mark the conditions of these types as based on this generation."""
    marked = frozenset(types)
    return tuple(
        condition.model_copy(update={"observed_generation": generation}) if condition.type in marked else condition
        for condition in conditions
    )
