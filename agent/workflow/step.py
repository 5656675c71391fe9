"""Work as data: a step has a name, an action, a phase, an announcement and a gate; an itinerary is a list of steps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Generic, TypeAlias, TypeVar

from agent.workflow.outcome import Outcome

Context = TypeVar("Context")
Traits: TypeAlias = frozenset[str]


def always(traits: Traits) -> bool:
    """The gate of a step that is never skipped."""
    return True


def no_remark(context: Any) -> str:
    """The remark of a step whose announcement says everything."""
    return ""


def no_traits(context: Any) -> Traits:
    """The observation of an itinerary whose steps are never skipped."""
    return frozenset()


@dataclass(frozen=True, slots=True)
class Step(Generic[Context]):
    """One repeatable piece of work.

    `run` brings the effect about, or finds it in place, and returns at once or after seconds; what it raises is
    unexpected and means: show it, back off, repeat. `phase` is the part of the stage whose times the history records;
    it lasts from the first to the last of the adjacent steps that name it. `announce` is what the user reads while the
    step runs, with what `remark` adds to it in this pass; `doing` stands before an error of a step that announces
    nothing. `applies` decides from the traits of the pass whether the step belongs to it.
    """

    name: str
    run: Callable[[Context], Outcome]
    phase: str = ""
    announce: str = ""
    applies: Callable[[Traits], bool] = always
    remark: Callable[[Context], str] = no_remark
    doing: str = ""


@dataclass(frozen=True, slots=True)
class Itinerary(Generic[Context]):
    """The steps that lead to one goal, in order."""

    name: str
    steps: tuple[Step[Context], ...]
    observe: Callable[[Context], Traits] = no_traits
    """Looks, once per pass, at what the gates of the steps ask for."""

    def __post_init__(self) -> None:
        names = [step.name for step in self.steps]
        phases = [phase for phase, _ in groupby(self.steps, key=lambda step: step.phase) if phase]
        for what, items in (("step", names), ("phase", phases)):
            if twice := sorted({item for item in items if items.count(item) > 1}):
                raise ValueError(f"itinerary {self.name}: {what} {', '.join(twice)} occurs in two places")

    def select_steps(self, traits: Traits) -> tuple[Step[Context], ...]:
        """The steps that belong to a pass with these traits."""
        return tuple(step for step in self.steps if step.applies(traits))
