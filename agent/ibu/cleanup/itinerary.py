"""Abort and finalize as itineraries. All parts of the cleanup are tried, and their failures reported together."""

from __future__ import annotations

from datetime import timedelta

from agent.ibu import messages
from agent.ibu.cleanup.backups import remove_backups, restore_reclaim_policies
from agent.ibu.cleanup.leftovers import (
    forget_pivot,
    remove_precache_objects,
    remove_saved_resource,
    remove_warning,
    remove_workspace,
)
from agent.ibu.cleanup.parts import Part, PartError, describe_cleanup
from agent.ibu.cleanup.stateroots import remove_stateroots
from agent.ibu.health.waiting import await_health
from agent.ibu.itineraries import StageContext
from agent.workflow.outcome import Done, Failed, Outcome, Wait
from agent.workflow.step import Itinerary, Step

PART_POLL = timedelta(seconds=5)

PARTS: tuple[Part, ...] = (
    remove_stateroots,
    remove_precache_objects,
    remove_warning,
    remove_backups,
    restore_reclaim_policies,
    remove_saved_resource,
    forget_pivot,
    remove_workspace,
)


def wait_healthy(context: StageContext) -> Outcome:
    """Finalize only a stable system: the other release is the only way back."""
    return await_health(context, messages.finalize_waiting_for_health)


def clean_up(context: StageContext) -> Outcome:
    """Run every part; fail with all errors, wait while a part is on its way, else done."""
    problems, awaited = [], []
    for part in PARTS:
        try:
            waiting = part(context)
        except PartError as error:
            problems.append(str(error))
        else:
            awaited += [waiting] if waiting else []
    if problems:
        return Failed("; ".join(problems))
    return Wait(messages.cleanup_waiting(describe_cleanup(context), awaited), PART_POLL) if awaited else Done()


_CLEAN_UP = Step("clean_up", clean_up)
ABORT: Itinerary[StageContext] = Itinerary("abort", (_CLEAN_UP,))
FINALIZE: Itinerary[StageContext] = Itinerary("finalize", (Step("wait_healthy", wait_healthy), _CLEAN_UP))
