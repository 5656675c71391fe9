"""The Upgrade stage after the pivot, as a list of steps (post-pivot-and-rollback.md 9)."""

from __future__ import annotations

from agent.ibu import messages
from agent.ibu.health.survey import Scope
from agent.ibu.health.waiting import await_health
from agent.ibu.itineraries import StageContext
from agent.ibu.postpivot.applications import check_applications, restore_applications
from agent.ibu.postpivot.completing import (
    call_off_watchdog,
    declare_completed,
    is_undecided,
    observe_completion,
)
from agent.ibu.postpivot.manifests import apply_configuration, apply_policies
from agent.workflow.outcome import Outcome
from agent.workflow.step import Itinerary, Step

PHASE = "PostPivot"


def wait_stable(context: StageContext) -> Outcome:
    """Apply nothing before the platform runs."""
    return await_health(context, messages.post_pivot_waiting_for_health, Scope.MANDATORY, required=True)


def wait_fully_stable(context: StageContext) -> Outcome:
    """Node, operators and certificates may need what was applied and restored."""
    return await_health(context, messages.completion_waiting_for_health, Scope.DEFERRED, required=True)


POST_PIVOT: Itinerary[StageContext] = Itinerary(
    "post-pivot",
    (
        Step("wait_stable", wait_stable, PHASE, applies=is_undecided),
        Step(
            "check_applications",
            check_applications,
            PHASE,
            applies=is_undecided,
            doing=messages.CHECKING_APPLICATION_CONFIGURATION,
        ),
        Step("apply_policies", apply_policies, PHASE, messages.APPLYING_POLICY_MANIFESTS, is_undecided),
        Step("apply_configuration", apply_configuration, PHASE, messages.APPLYING_CONFIG_MANIFESTS, is_undecided),
        Step("restore_applications", restore_applications, PHASE, messages.RESTORING, is_undecided),
        Step("wait_fully_stable", wait_fully_stable, PHASE, applies=is_undecided),
        Step("declare_completed", declare_completed, PHASE),
        Step("call_off_watchdog", call_off_watchdog, PHASE),
    ),
    observe_completion,
)
