"""An upgrade that has failed for good in the new release: the node goes back by itself, unless the user says no."""

from __future__ import annotations

import logging

from agent.ibu import messages
from agent.ibu.itineraries import StageContext
from agent.pivot.decided import RollbackDecision
from agent.pivot.watchdog import read_timeout
from agent.workflow.outcome import Failed
from crds.imagebasedupgrade import Annotation

log = logging.getLogger(__name__)


def give_up(context: StageContext, cause: str, error: str) -> Failed:
    """Decide durably on the automatic rollback; the next pass carries it out, after the status is written.

    `cause` is one of `messages.ROLLBACK_DUE_TO_*`. Raises OSError.
    """
    root = context.ports.root
    if context.cr.metadata.annotations.get(Annotation.NO_ROLLBACK_AFTER_COMPLETION_FAILURE) == "Disabled":
        watchdog = read_timeout(root)
        log.warning(
            "automatic rollback is switched off",
            extra={"annotation": Annotation.NO_ROLLBACK_AFTER_COMPLETION_FAILURE, "watchdog_acts": bool(watchdog)},
        )
        return Failed(messages.kept_after_failure(error, watchdog))
    message = messages.rollback_due_to(cause, error)
    RollbackDecision(root).write(message, error)
    return Failed(message)
