"""Declaring the upgrade complete: from then on nothing may roll it back by itself.

The verdict is taken under a lock that the programs which roll back take as well. It is on disk before the watchdog is
called off: a watchdog that can not be stopped finds it and lets go.
"""

from __future__ import annotations

import logging
from datetime import timedelta

from agent.ibu import messages
from agent.ibu.itineraries import StageContext
from agent.pivot.bootorder import keep_booted
from agent.pivot.completion import hold_verdict, is_completed, mark_completed
from agent.pivot.watchdog import UNIT, call_off
from agent.workflow.outcome import Done, Failed, Outcome, Wait
from agent.workflow.step import Traits
from hostops.reboot import OVERDUE, Rebooter
from hostops.rpmostree import RpmOstree
from hostops.runner import CommandError

log = logging.getLogger(__name__)

COMPLETED = "completed"
"""Trait of a pass: the verdict is taken, only the rest is missing."""

BOOT_ORDER_POLL = timedelta(seconds=30)


def observe_completion(context: StageContext) -> Traits:
    """See whether an earlier pass has declared the upgrade complete."""
    return frozenset({COMPLETED} if is_completed(context.ports.root) else ())


def is_undecided(traits: Traits) -> bool:
    """The steps before the verdict are not repeated after it."""
    return COMPLETED not in traits


def declare_completed(context: StageContext) -> Outcome:
    """Take the verdict, unless a program that rolls back was faster, or the next boot would start the other release."""
    runner, root = context.ports.runner, context.ports.root
    with hold_verdict(root):
        rebooter = Rebooter(runner, root)
        if request := rebooter.pending():
            if request.is_overdue(context.now()):
                rebooter.withdraw()
                return Failed(OVERDUE)
            text = messages.completion_waiting_for_reboot(request.rationale)
            return Wait(text, request.time_left(context.now()))
        if not keep_booted(runner, RpmOstree(runner).status()):
            return Wait(messages.DEFAULT_DEPLOYMENT_IS_MANUAL, BOOT_ORDER_POLL)
        mark_completed(root)
    return Done()


def call_off_watchdog(context: StageContext) -> Outcome:
    """Stop the watchdog; it would see the verdict, so a failure does no harm."""
    try:
        call_off(context.ports.runner, context.ports.root)
    except (CommandError, OSError) as error:
        log.error("the watchdog could not be stopped", extra={"unit": UNIT, "reason": str(error)})
    return Done()
