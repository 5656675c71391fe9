"""The automatic rollback by the operator: the failed status is written, the node goes back to the original release."""

from __future__ import annotations

import logging

from agent.ibu import messages
from agent.ibu.itineraries import StageContext
from agent.ibu.telling import tell
from agent.pivot.decided import RollbackDecision
from agent.pivot.rollback import AlreadyCompleted, RollbackError, initiate_rollback
from agent.workflow.outcome import Failed, Outcome, Wait
from hostops.reboot import OVERDUE, Rebooter

log = logging.getLogger(__name__)


def send_back(context: StageContext) -> Outcome:
    """Go back for the decided reason; when that is not possible the upgrade stays failed, with its own reason."""
    ports, decision = context.ports, RollbackDecision(context.ports.root)
    decided = context.facts.rollback
    assert decided, "the work is chosen by the decision"
    rebooter = Rebooter(ports.runner, ports.root)
    asked_before = rebooter.pending() is not None
    try:
        request = initiate_rollback(
            ports.runner, ports.root, decided.message, context.now(), unless_saved=context.resource.raw
        )
        problem = ""
        if request.is_overdue(context.now()):
            rebooter.withdraw()
            problem = OVERDUE
    except RollbackError as error:
        problem = str(error)
    except AlreadyCompleted:
        problem = "the upgrade has been declared complete before"
    if not problem:
        if not asked_before:
            log.warning("rolling back", extra={"reason": decided.message})
            tell(context, "Normal", "Reboot", messages.EVENT_REBOOT_FOR_ROLLBACK)
        return Wait(decided.message, request.time_left(context.now()))
    log.error("unable to auto rollback: %s", problem)
    decision.remove()
    return Failed(messages.automatic_rollback_failed(decided.detail, problem))
