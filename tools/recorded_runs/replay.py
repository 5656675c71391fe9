"""One run: everything set up as recorded, our operator in the place of the original, and what came of it."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from agent.kube import errors
from tools.operator_process import OperatorProcess
from tools.recorded_runs.accepted import Accepted
from tools.recorded_runs.actions import NAME, apply_changes, perform
from tools.recorded_runs.cluster import IBU, RecordedCluster
from tools.recorded_runs.following import Follower
from tools.recorded_runs.host import RecordedHost
from tools.recorded_runs.idle import wait_until_idle
from tools.recorded_runs.scenario import Action, FileChange, Scenario, Version
from tools.recorded_runs.snapshot import list_changes, name_as_recorded, take_snapshot
from tools.recorded_runs.state import Object, State, make_object

_OPERATOR_POD = "lifecycle-agent-controller-manager-6d5c7b9f4-x2x9z"
_ENVIRONMENT = {
    "MY_POD_NAME": _OPERATOR_POD,
    "MY_POD_NAMESPACE": "openshift-lifecycle-agent",
    "HOSTNAME": _OPERATOR_POD,
    "PRECACHE_WORKLOAD_IMG": "quay.io/openshift-kni/lifecycle-agent-operator:5.0.0",
    "RELATED_IMAGE_RECERT_IMAGE": "quay.io/edge-infrastructure/recert:v0",
}
_LEAST_PATIENCE_SECONDS = 10.0
_SETTLE_SECONDS = 10.0


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


class Replay:
    """A scenario on a cluster and a host of its own in `folder`; a context manager."""

    def __init__(self, scenario: Scenario, cluster: RecordedCluster, folder: Path) -> None:
        self.scenario = scenario
        self.cluster = cluster
        self.host = RecordedHost(folder, cluster.admin_kubeconfig)
        self.operator = OperatorProcess(self.host, cluster.operator_kubeconfig, environment=_ENVIRONMENT)

    def __enter__(self) -> Replay:
        return self

    def __exit__(self, *_: object) -> None:
        self.operator.kill()
        self.host.destroy()
        shutil.rmtree(self.host.folder)

    def run(self, accepted: Accepted) -> Result:
        """Perform the actions, each once the state before it has been seen."""
        self._set_up()
        before = take_snapshot(self.host.sysroot)
        commands_before = len(self.host.commands())
        refusals: list[tuple[Action, errors.ApiError | None]] = []
        unreached: list[State] = []
        patience = max(_LEAST_PATIENCE_SECONDS, 3 * self.scenario.seconds)
        with Follower(self.cluster.client, accepted.canonical) as follower:
            place = len(follower.states) - 1
            seen = follower.states[-1] if follower.states else None
            awaited: State | None = None
            for step in (*accepted.expect(self.scenario.steps), None):
                if isinstance(step, Version):
                    if step.state != seen:
                        seen = awaited = step.state
                    continue
                if awaited is not None:
                    found = follower.wait_for(awaited, place, self._settle, patience)
                    if found is None:
                        unreached.append(awaited)
                    place = len(follower.states) - 1 if found is None else found
                    awaited = None
                if step is None or step.after_pause:
                    self._settle()
                if step is not None:
                    refusals.append((step, perform(self, step)))
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

    def _set_up(self) -> None:
        scenario = self.scenario
        self.cluster.reset(scenario.extra_crds)
        apply_changes(self, scenario.changes)
        self.host.order(scenario.deployments)
        self.host.boot(scenario.booted)
        if scenario.initial is not None:
            self._make_resource(scenario.initial)
        if not scenario.starts_without_operator:
            self.operator.start()
            self._settle()

    def _make_resource(self, initial: Object) -> None:
        assert initial["generation"] == 1, "resources that were changed before a run can not be made here"
        metadata = {"name": NAME, "annotations": initial.get("annotations") or {}}
        self.cluster.apply(
            {"apiVersion": IBU.api_version, "kind": IBU.kind, "metadata": metadata, **make_object(initial)}
        )

    def _settle(self) -> bool:
        """Wait until the operator has seen the last change of the resource and has nothing to do."""
        deadline = time.monotonic() + _SETTLE_SECONDS
        while True:
            wait_until_idle(self.operator, self.cluster.token)
            if self._is_observed() or self.operator.process.poll() is not None or time.monotonic() > deadline:
                return True

    def _is_observed(self) -> bool:
        found = self.cluster.client.find(IBU, NAME)
        status = (found or {}).get("status") or {}
        return found is not None and status.get("observedGeneration") == found["metadata"]["generation"]
