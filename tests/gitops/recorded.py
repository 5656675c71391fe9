"""Recorded runs as streams of objects: what a watch would have delivered."""

from __future__ import annotations

from pathlib import Path

from agent.kube import Object
from tools.recorded_runs.compact import read_runs
from tools.recorded_runs.scenario import Action, Scenario
from tools.recorded_runs.state import EARLIER, Entry, State

FOLDER = Path(__file__).parents[1] / "api/operator/recorded/runs"


def read_run(name: str) -> Scenario:
    """One recorded run."""
    (run,) = [run for run in read_runs(FOLDER / f"{name.partition('-')[0]}.yaml") if run.id == name]
    return run


def list_runs() -> list[Scenario]:
    """All recorded runs."""
    return [run for path in sorted(FOLDER.glob("*.yaml")) for run in read_runs(path)]


def list_versions(run: Scenario) -> list[Object]:
    """Every recorded version as a whole object; what is not in the recording's state is left out."""
    spec: Object = dict((run.initial or {}).get("spec") or {})
    versions = []
    for step in run.steps:
        if isinstance(step, Action):
            if step.do == "merge-patch IBU" and not step.refused:
                spec = _merge(spec, step.details["patch"].get("spec") or {})
        else:
            versions.append(_make_object({**spec, "stage": step.stage}, step.generation, step.state))
    return versions


def _make_object(spec: Object, generation: int, state: State) -> Object:
    conditions = [
        {
            "type": c.type,
            "status": c.status,
            "reason": c.reason,
            "message": c.message,
            "observedGeneration": c.observed_generation,
            "lastTransitionTime": EARLIER,
        }
        for c in state.conditions
    ]
    status = {
        "conditions": conditions,
        "validNextStages": list(state.next_stages),
        "history": [_make_entry("stage", entry) for entry in state.history],
    }
    return {
        "apiVersion": "lca.openshift.io/v1",
        "kind": "ImageBasedUpgrade",
        "metadata": {"name": "upgrade", "generation": generation, "annotations": dict(state.annotations)},
        "spec": spec,
        "status": {key: value for key, value in status.items() if value},
    }


def _make_entry(name: str, entry: Entry) -> Object:
    made = {name: entry.name, "startTime": EARLIER} | ({"completionTime": EARLIER} if entry.ended else {})
    return made | ({"phases": [_make_entry("phase", phase) for phase in entry.phases]} if entry.phases else {})


def _merge(base: Object, patch: Object) -> Object:
    """JSON merge patch."""
    merged = dict(base)
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, dict):
            merged[key] = _merge(merged.get(key) or {}, value)
        else:
            merged[key] = value
    return merged
