"""One run: everything set up as recorded, our operator in the place of the original, and what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from agent.kube import errors
from tools.recorded_runs.accepted import Accepted
from tools.recorded_runs.actions import apply_changes, perform
from tools.recorded_runs.cluster import RecordedCluster
from tools.recorded_runs.following import Follower
from tools.recorded_runs.scenario import Action, FileChange, Scenario, Version
from tools.recorded_runs.site import Site
from tools.recorded_runs.snapshot import list_changes, name_as_recorded, take_snapshot
from tools.recorded_runs.state import State

_LEAST_PATIENCE_SECONDS = 10.0


@dataclass
class Result:
    """What our operator did in a run. `unreached` are recorded states that were waited for in vain."""

    states: list[State]
    commands: list[tuple[tuple[str, ...], bool]]
    files: list[FileChange]
    refusals: list[tuple[Action, errors.ApiError | None]]
    exit_code: int | None
    booted: str
    deployments: Sequence[str]
    log: str
    unreached: list[State] = field(default_factory=list)


class Replay(Site):
    """A scenario on a cluster and a host of its own in `folder`; a context manager."""

    def __init__(self, scenario: Scenario, cluster: RecordedCluster, folder: Path) -> None:
        super().__init__(cluster, folder, extra_crds=scenario.extra_crds)
        self.scenario = scenario

    def run(self, accepted: Accepted) -> Result:
        """Perform the actions, each once the state before it has been seen."""
        self._set_up()
        before = take_snapshot(self.host.sysroot)
        commands_before = len(self.host.commands())
        refusals: list[tuple[Action, errors.ApiError | None]] = []
        with Follower(self.cluster.client, accepted.canonical) as follower:
            unreached = self._go(follower, accepted.expect(self.scenario.steps), refusals)
            states = list(follower.states)
        placed = {name_as_recorded(path) for path in self.host.placed()}
        return Result(
            states=states,
            commands=[(words, nesting > 0) for _, nesting, words in self.host.commands()[commands_before:]],
            files=list_changes(before, take_snapshot(self.host.sysroot), placed - before.keys()),
            refusals=refusals,
            exit_code=self.operator.process.poll(),
            booted=self.host.booted,
            deployments=self.host.deployments(),
            log=self.operator.show_log(),
            unreached=unreached,
        )

    def _go(
        self,
        follower: Follower,
        steps: Sequence[Action | Version],
        refusals: list[tuple[Action, errors.ApiError | None]],
    ) -> list[State]:
        """Take the steps; return the states that were waited for in vain."""
        unreached: list[State] = []
        patience = max(_LEAST_PATIENCE_SECONDS, 3 * self.scenario.seconds)
        place = len(follower.states) - 1
        seen = follower.states[-1] if follower.states else None
        awaited: State | None = None
        for step in (*steps, None):
            if isinstance(step, Version):
                if step.state != seen:
                    seen = awaited = step.state
                continue
            if awaited is not None:
                found = follower.wait_for(awaited, place, self.settle, patience)
                if found is None:
                    unreached.append(awaited)
                place = len(follower.states) - 1 if found is None else found
                awaited = None
            if step is None or step.after_pause:
                self.settle()
            if step is not None:
                refusals.append((step, perform(self, step)))
        return unreached

    def _set_up(self) -> None:
        scenario = self.scenario
        stateroots = [change for change in scenario.changes if change.keys() == {"stateroot"}]
        apply_changes(self, stateroots)
        self.boot(scenario.deployments, scenario.booted)
        apply_changes(self, [change for change in scenario.changes if change not in stateroots])
        if scenario.initial is not None:
            self.make_resource(scenario.initial)
        if not scenario.starts_without_operator:
            self.start_operator()
