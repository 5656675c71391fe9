"""Runs an itinerary in one go, for programs that nobody waits for twice: a step is done or the program has failed."""

from __future__ import annotations

import logging
import time

from agent.node.ending import ProgramError
from agent.workflow.outcome import Done, Failed
from agent.workflow.replay import Ended, Started, replay
from agent.workflow.step import Context, Itinerary, Traits

logger = logging.getLogger(__name__)


def walk(itinerary: Itinerary[Context], context: Context, traits: Traits = frozenset()) -> None:
    """Run all steps that apply, each with a line in the log. Raises ProgramError with the text of the failed step."""
    started = time.monotonic()
    for event in replay(itinerary, context, traits=traits):
        match event:
            case Started(step):
                logger.info("%s", step.name, extra={"step": step.name})
                step_started = time.monotonic()
            case Ended(step, Failed(message)):
                raise ProgramError(message)
            case Ended(step, Done()):
                logger.info("done", extra={"step": step.name, "seconds": round(time.monotonic() - step_started, 3)})
            case Ended(step, outcome):
                raise AssertionError(f"step {step.name} of a program may not end with {outcome}")
    logger.info("%s: all done", itinerary.name, extra={"seconds": round(time.monotonic() - started, 3)})
