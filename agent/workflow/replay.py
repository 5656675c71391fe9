"""The replay driver: every pass runs an itinerary from the top; a step whose effect is in place is done at once.

It survives reboots and lost status, because nothing says where the last pass stopped. The driver does no I/O of its
own: it yields what happens, and the caller writes it down before it asks for more.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, TypeAlias

from agent.workflow.outcome import Done, Outcome
from agent.workflow.step import Context, Itinerary, Step, Traits


@dataclass(frozen=True, slots=True)
class Started:
    """The step is about to run. `announce` is empty when the step has none, or is `again` (see `replay`)."""

    step: Step[Any]
    announce: str
    again: bool = False
    """The last pass came as far, so what the user reads is still true, be it an announcement or an error."""


@dataclass(frozen=True, slots=True)
class Ended:
    """The step has run. `ends_phase`: it was the last one of its phase, and is done."""

    step: Step[Any]
    outcome: Outcome
    ends_phase: bool


@dataclass(frozen=True, slots=True)
class Completed:
    """All steps are done."""


Event: TypeAlias = Started | Ended | Completed


def replay(
    itinerary: Itinerary[Context], context: Context, *, traits: Traits = frozenset(), resume: str = ""
) -> Iterator[Event]:
    """Run the steps that apply until one is not done.

    `resume` names the step that the last pass of this process ended with, by waiting or by raising: up to and including
    it announcements are left out, so that the user does not see old texts flash by in every pass. What a step raises
    passes through.
    """
    steps = itinerary.select_steps(traits | itinerary.observe(context))
    silent = resume in {step.name for step in steps}
    for step, following in zip_longest(steps, steps[1:]):
        yield Started(step, "" if silent or not step.announce else step.announce + step.remark(context), silent)
        silent = silent and step.name != resume
        outcome = step.run(context)
        done = isinstance(outcome, Done)
        ends_phase = done and bool(step.phase) and (following is None or following.phase != step.phase)
        yield Ended(step, outcome, ends_phase)
        if not done:
            return
    yield Completed()
