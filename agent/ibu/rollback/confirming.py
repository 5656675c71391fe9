"""The end of a rollback: the original release is booted, and stays so."""

from __future__ import annotations

from datetime import timedelta

from agent.ibu import messages
from agent.ibu.itineraries import StageContext
from agent.pivot.bootorder import keep_booted
from agent.pivot.completion import remove_completion_mark
from agent.pivot.decided import RollbackDecision
from agent.workflow.outcome import Done, Outcome, Wait

BOOT_ORDER_POLL = timedelta(seconds=30)


def keep_original(context: StageContext) -> Outcome:
    """Somebody may have booted it by hand: the next boot must not start the new release again."""
    if keep_booted(context.ports.runner, context.deployments):
        return Done()
    return Wait(messages.DEFAULT_DEPLOYMENT_IS_MANUAL, BOOT_ORDER_POLL)


def forget_pivot(context: StageContext) -> Outcome:
    """Forget what earlier upgrades into this very release have left, if it came by one."""
    root = context.ports.root
    remove_completion_mark(root)
    RollbackDecision(root).remove()
    return Done()
