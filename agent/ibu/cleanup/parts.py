"""How the parts of a cleanup report, and what they ask of the pass."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TypeAlias

from agent.ibu import messages
from agent.ibu.itineraries import StageContext
from agent.ibu.stages import FINALIZE_REASONS
from agent.workflow.conditions import find_condition
from crds.imagebasedupgrade import Stage


class PartError(Exception):
    """One part could not be cleaned up; the text starts with what part it is."""


Part: TypeAlias = Callable[[StageContext], str | None]
"""Cleans up one part. Returns None when it is gone, or what is being waited for. Raises PartError."""


def measure_elapsed(context: StageContext) -> timedelta:
    """Return the time since the user asked for Idle."""
    idle = find_condition(context.cr.status.conditions, Stage.IDLE.in_progress_type)
    return context.now() - idle.last_transition_time if idle else timedelta(0)


def describe_cleanup(context: StageContext) -> str:
    """Return what the user reads while the cleanup runs."""
    idle = find_condition(context.cr.status.conditions, Stage.IDLE.in_progress_type)
    return messages.FINALIZING if idle and idle.reason in FINALIZE_REASONS else messages.ABORTING
