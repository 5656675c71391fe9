"""Every recorded run of the original operator, as far as it is state machine (tests/api/operator/recorded/runs).

The valid next stages of each recorded state, the reaction to each edit by a user, and each progress of a stage must
come out of our functions alike; what we do differently on purpose is listed here with the reason.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from agent.ibu import messages
from agent.ibu.decide import Facts, decide
from agent.ibu.fold import fold_event
from agent.ibu.stages import find_current_stage
from agent.ibu.transitions import Situation, list_valid_next
from agent.workflow.history import Timeline, start_phase, start_stage, stop_phase, stop_stage
from agent.workflow.outcome import Done, Failed, Wait
from agent.workflow.replay import Completed, Ended, Event
from agent.workflow.step import Step
from crds.base import Condition, ObjectMeta
from crds.imagebasedupgrade import (
    History,
    ImageBasedUpgrade,
    ImageBasedUpgradeSpec,
    ImageBasedUpgradeStatus,
    Phase,
    Stage,
)
from tools.recorded_runs.compact import read_runs
from tools.recorded_runs.scenario import Version
from tools.recorded_runs.state import Entry

FOLDER = Path(__file__).parents[2] / "api/operator/recorded/runs"
EARLIER = datetime(2024, 6, 26, tzinfo=UTC)
NOW = EARLIER + timedelta(hours=1)
STEP = Step("recorded", lambda _: Done())


@dataclass(frozen=True)
class State:
    """One recorded state; `label` finds it in its file."""

    label: str
    by: str
    after_pivot: bool
    cr: ImageBasedUpgrade

    @property
    def conditions(self) -> list[str]:
        return write_conditions(self.cr)


def write_conditions(cr: ImageBasedUpgrade) -> list[str]:
    """The conditions without their times, and without the hint that we append to a failed rollback."""
    hint = messages.rollback_failed("")
    return [
        f"{c.type}={c.status}/{c.reason}@{c.observed_generation} {c.message.removesuffix(hint)}"
        for c in cr.status.conditions
    ]


def make_state(label: str, version: Version) -> State:
    state = version.state
    conditions = tuple(
        Condition(
            type=c.type,
            status=c.status,  # type: ignore[arg-type]
            reason=c.reason,
            message=c.message,
            observed_generation=c.observed_generation,
            last_transition_time=EARLIER,
        )
        for c in state.conditions
    )
    status = ImageBasedUpgradeStatus(
        history=tuple(make_history(entry) for entry in state.history),
        conditions=conditions,
        valid_next_stages=state.next_stages,
    )
    metadata = ObjectMeta(name="upgrade", generation=version.generation, annotations=dict(state.annotations))
    cr = ImageBasedUpgrade(metadata=metadata, spec=ImageBasedUpgradeSpec(stage=Stage(version.stage)), status=status)
    return State(label, version.by, version.after_pivot, cr)


def make_history(entry: Entry) -> History:
    def end(item: Entry) -> datetime | None:
        return EARLIER if item.ended else None

    return History(
        stage=entry.name,
        start_time=EARLIER,
        completion_time=end(entry),
        phases=tuple(Phase(phase=p.name, start_time=EARLIER, completion_time=end(p)) for p in entry.phases),
    )


def write_history(timeline: Timeline) -> str:
    def write(name: str, item: History | Phase) -> str:
        return name + ("+" if item.completion_time else "")

    return " ".join(
        write(entry.stage, entry) + ":" + ",".join(write(phase.phase, phase) for phase in entry.phases)
        for entry in timeline
    )


def read_states() -> dict[str, list[State]]:
    """The versions of each recorded run, those without a status left out."""
    return {
        run.id: [
            make_state(f"{run.id} version {number}", step)
            for number, step in enumerate(step for step in run.steps if isinstance(step, Version))
            if step.state.conditions
        ]
        for path in sorted(FOLDER.glob("*.yaml"))
        for run in read_runs(path)
    }


RUNS = read_states()
# The stage asked for in vain has an entry in the original's history; in ours only the stage that runs has one.
HISTORY_OF_A_REFUSED_STAGE = {"trans-018"}


def parametrize_runs(without: Container[str] = ()) -> pytest.MarkDecorator:
    runs = [pytest.param(states, id=name) for name, states in RUNS.items() if states and name not in without]
    return pytest.mark.parametrize("states", runs)


@parametrize_runs()
def test_valid_next_stages_are_the_recorded_ones(states: list[State]) -> None:
    for state in (state for state in states if state.by == "agent"):
        cr = state.cr
        computed = list_valid_next(Situation(cr.status.conditions, cr.spec.stage, state.after_pivot))
        assert tuple(computed) == cr.status.valid_next_stages, state.label


@parametrize_runs()
def test_reaction_to_an_edit_is_the_recorded_one(states: list[State]) -> None:
    for before, after in pairwise(states):
        if before.by != "user" or after.by != "agent":
            continue
        decided = decide(before.cr, Facts(before.after_pivot), NOW).cr
        assert write_conditions(decided) == after.conditions, after.label
        assert decided.status.valid_next_stages == after.cr.status.valid_next_stages, after.label


@parametrize_runs(without=HISTORY_OF_A_REFUSED_STAGE)
def test_history_goes_on_as_recorded(states: list[State]) -> None:
    for before, after in pairwise(states):
        then, now = before.cr.status.history, after.cr.status.history
        if after.by != "agent" or write_history(then) == write_history(now):
            continue
        stage = find_current_stage(before.cr.status.conditions)
        assert stage, after.label
        if stage is Stage.IDLE:
            assert decide(before.cr, Facts(before.after_pivot), NOW).cr.status.history == now == (), after.label
            continue
        phases = [phase.phase for entry in now for phase in entry.phases]
        results = [start_stage(then, stage, NOW), stop_stage(then, stage, NOW)]
        results += [do(then, stage, phase, NOW) for do in (start_phase, stop_phase) for phase in phases]
        assert write_history(now) in map(write_history, results), after.label


def list_events(after: State) -> list[Event]:
    """What may have happened just before a state was written, as our steps would report it."""
    shown = [c.message for c in after.cr.status.conditions if c.type.endswith("InProgress") or c.type == "Idle"]
    waits = [Wait(message, timedelta(0)) for message in shown]
    failures = [Failed(message.partition(" Perform cleanup manually")[0]) for message in shown]
    return [Completed(), *(Ended(STEP, outcome, ends_phase=False) for outcome in (*waits, *failures))]


@parametrize_runs()
def test_progress_of_a_stage_is_the_recorded_one(states: list[State]) -> None:
    for before, after in pairwise(states):
        if after.by != "agent" or before.conditions == after.conditions or before.by == "user":
            continue
        assert find_current_stage(before.cr.status.conditions), before.label
        facts = Facts(before.after_pivot)
        results = [write_conditions(fold_event(before.cr, facts, event, NOW)) for event in list_events(after)]
        assert after.conditions in results, after.label
