"""Waiting for a healthy cluster: the one step that all stages share."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from agent.ibu.health.checks import format_failures
from agent.ibu.health.survey import Scope, survey
from agent.ibu.itineraries import StageContext
from agent.workflow.outcome import Done, Outcome, Wait

# What is not healthy is watched; this is the safety net, and what re-reads objects that could not be read.
HEALTH_POLL = timedelta(seconds=20)


def await_health(
    context: StageContext, describe: Callable[[str], str], scope: Scope = Scope.FULL, *, required: bool = False
) -> Outcome:
    """Wait until the checks of `scope` pass; `describe` turns their failures into what the user reads.

    `required`: a cluster that shows no operators, pools or nodes is not healthy (they come up after a pivot).
    """
    failures = survey(context.ports.client, context.now(), scope, required=required)
    if not failures:
        return Done()
    watched = tuple(failure.subject for failure in failures if failure.subject)
    return Wait(describe(format_failures([failure.text for failure in failures])), HEALTH_POLL, watched)
