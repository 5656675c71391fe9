"""Recorded runs in few lines: what was given, done and seen, one file for a group of runs.

A file has `conditions` (id: type, status, reason, message) and `runs`. A run lists actions (`do`) and versions of the
resource in order; a version names its conditions as `<id>@<observed generation>`, and of the rest what is not usual.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from tools.recorded_runs.compare import select_changing
from tools.recorded_runs.scenario import Action, FileChange, Scenario, Version, load_yaml
from tools.recorded_runs.state import (
    Condition,
    Entry,
    Object,
    State,
    fold_loops,
    make_object,
    read_object,
    read_recorded,
)

_WIDTH = 120
_SHARED_CHARACTERS = 60
_SAVED_PATH = "/var/lib/lca/ibu.json"
_Table = dict[tuple[str, ...], str]


def read_runs(path: Path) -> list[Scenario]:
    """Read the runs of a file."""
    document = load_yaml(path)
    conditions = {str(key): tuple(value) for key, value in document["conditions"].items()}
    return [_read_run(name, run, conditions) for name, run in document["runs"].items()]


def write_runs(path: Path, scenarios: Iterable[Scenario]) -> None:
    """Write runs to a file, replacing it; what it said that a run is about stays."""
    table: _Table = {}
    about = {run.id: run.title for run in read_runs(path)} if path.exists() else {}
    runs = {scenario.id: _write_run(scenario, about.get(scenario.id), table) for scenario in scenarios}
    lines = ["conditions:"]
    lines += [f"  {name}: {_dump(list(condition), flow=True)}" for condition, name in table.items()]
    path.write_text("\n".join(lines) + "\n" + _dump({"runs": _share(runs, {})}, flow=None))


def _read_run(name: str, run: Object, table: Mapping[str, tuple[str, ...]]) -> Scenario:
    def version(entry: Object) -> Version:
        return Version(
            _read_state(entry, table),
            entry.get("by", "agent"),
            entry.get("gen", 1),
            entry.get("stage", ""),
            entry.get("pivoted", False),
        )

    steps: list[Action | Version] = []
    for entry in run.get("run") or ():
        if "do" in entry:
            details = {key: value for key, value in entry.items() if key not in ("do", "pause")}
            steps.append(Action(entry["do"], details, entry.get("pause", False)))
        else:
            steps.append(version(entry))
    booted, deployments = str(run.get("booted", "")), str(run.get("deployments", ""))
    return Scenario(
        id=name,
        title=run["about"],
        extra_crds=frozenset(run.get("crds") or ()),
        changes=[_read_change(change, table) for change in run.get("given") or ()],
        booted=booted,
        deployments=deployments.split(),
        initial=_read_initial(run["initial"], table) if "initial" in run else None,
        steps=steps,
        commands=[(tuple(words), False) for words in run.get("commands") or ()],
        files=[_read_file(path, entry, table) for path, entry in (run.get("files") or {}).items()],
        exit_code=run.get("exit"),
        booted_after=str(run.get("booted after", booted)),
        deployments_after=str(run.get("deployments after", deployments)).split(),
        seconds=0.0,
        command=run.get("command") or (),
        given=run.get("on the node") or {},
    )


def _write_run(scenario: Scenario, about: str | None, table: _Table) -> Object:
    run: Object = {"about": about or scenario.title}
    on_the_node = {key: value for key, value in scenario.given.items() if value and key not in ("host", "changes")}
    optional: Object = {
        "command": list(scenario.command),
        "on the node": on_the_node if scenario.command else {},
        "booted": scenario.booted,
        "deployments": " ".join(scenario.deployments),
        "crds": sorted(scenario.extra_crds),
        "given": [_write_change(change, table) for change in scenario.changes],
        "initial": scenario.initial and _write_initial(scenario.initial, table),
    }
    run |= {key: value for key, value in optional.items() if value}
    optional = {
        "run": [_write_step(step, table) for step in _drop_unseen(scenario)],
        "commands": [list(words) for words in dict.fromkeys(select_changing(scenario.commands))],
        "files": {change.path: _write_file(change, table) for change in scenario.files},
        "exit": scenario.exit_code,
    }
    if scenario.booted_after != scenario.booted:
        optional["booted after"] = scenario.booted_after
    if list(scenario.deployments_after) != list(scenario.deployments):
        optional["deployments after"] = " ".join(scenario.deployments_after)
    return run | {key: value for key, value in optional.items() if value not in (None, [], {})}


def _drop_unseen(scenario: Scenario) -> Iterable[Action | Version]:
    """The steps without versions in which nothing that is compared has changed, and without repetitions."""
    versions: list[Version] = []
    before: Version | None = None
    for step in scenario.steps:
        if isinstance(step, Action):
            yield from fold_loops(versions)
            versions = []
            yield step
        elif before is None or (before.state, before.stage) != (step.state, step.stage):
            versions.append(step)
            before = step
    yield from fold_loops(versions)


def _write_step(step: Action | Version, table: _Table) -> Object:
    if isinstance(step, Action):
        details = {key: value for key, value in step.details.items() if key != "given"}  # it says so below `given`
        return {"do": step.do, **({"pause": True} if step.after_pause else {}), **details}
    head = {"by": step.by, "gen": step.generation, "stage": step.stage, "pivoted": step.after_pivot}
    usual = {"by": "agent", "gen": 1, "stage": "", "pivoted": False}
    return _Line({key: value for key, value in head.items() if value != usual[key]} | _write_state(step.state, table))


def _read_change(change: Object, table: Mapping[str, tuple[str, ...]]) -> Object:
    if "saved" not in change:
        return change
    saved = {"metadata": {"name": "upgrade"}, **make_object(_read_initial(change["saved"], table))}
    rest = {key: value for key, value in change.items() if key != "saved"}
    return {"file": _SAVED_PATH, "content": json.dumps(saved), **rest}


def _write_change(change: Object, table: _Table) -> Object:
    if change.get("file") != _SAVED_PATH:
        return change
    saved = json.loads(change["content"])
    rest = {key: value for key, value in change.items() if key not in ("file", "content")}
    return {"saved": _Line({"spec": saved["spec"]} | _write_state(read_object(saved), table)), **rest}


def _read_initial(entry: Object, table: Mapping[str, tuple[str, ...]]) -> Object:
    """The initial resource in the form of recordings."""
    state = _read_state(entry, table)

    def end(item: Entry) -> Object:
        return {"start": "earlier"} | ({"end": "earlier"} if item.ended else {})

    return {
        "generation": 1,
        "spec": entry["spec"],
        "observedGeneration": entry.get("observed", 1),
        "validNextStages": list(state.next_stages),
        "conditions": [
            {"type": c.type, "status": c.status, "reason": c.reason, "message": c.message, "gen": c.observed_generation}
            for c in state.conditions
        ],
        "history": [
            {"stage": item.name, **end(item), "phases": [{"phase": p.name, **end(p)} for p in item.phases]}
            for item in state.history
        ],
        "annotations": dict(state.annotations),
    }


def _write_initial(initial: Object, table: _Table) -> Object:
    assert initial["generation"] == 1, "not the first version"
    observed = initial.get("observedGeneration", 1)
    entry = {"spec": initial["spec"]} | ({} if observed == 1 else {"observed": observed})
    return entry | _write_state(read_recorded(initial), table)


def _read_state(entry: Object, table: Mapping[str, tuple[str, ...]]) -> State:
    def condition(reference: str) -> Condition:
        name, _, generation = reference.partition("@")
        type_, status, reason, message = table[name]
        return Condition(type_, status, reason, message, int(generation))

    return State(
        tuple(map(condition, str(entry.get("is", "")).split())),
        tuple(entry.get("next", "").split()),
        tuple(map(_read_history, entry.get("history", "").split())),
        tuple(sorted((entry.get("annotations") or {}).items())),
    )


def _write_state(state: State, table: _Table) -> Object:
    def reference(condition: Condition) -> str:
        words = (condition.type, condition.status, condition.reason, condition.message)
        return f"{table.setdefault(words, f'c{len(table) + 1}')}@{condition.observed_generation}"

    entry = {
        "is": " ".join(map(reference, state.conditions)),
        "next": " ".join(state.next_stages),
        "history": " ".join(map(str, state.history)),
        "annotations": dict(state.annotations),
    }
    return {key: value for key, value in entry.items() if value}


def _read_history(text: str) -> Entry:
    name, _, phases = text.partition(":")
    inner = (Entry(phase.rstrip("+"), phase.endswith("+")) for phase in phases.split(",") if phase)
    return Entry(name.rstrip("+"), name.endswith("+"), tuple(inner))


def _read_file(path: str, entry: Object | str, table: Mapping[str, tuple[str, ...]]) -> FileChange:
    if isinstance(entry, str):
        return FileChange(path, entry)
    content = _read_state(entry["state"], table) if "state" in entry else entry.get("content")
    return FileChange(path, entry["change"], entry.get("mode"), content, entry.get("folder", False))


def _write_file(change: FileChange, table: _Table) -> Object | str:
    if change.change == "removed":
        return change.change
    entry: Object = {"change": change.change}
    if change.mode:
        entry["mode"] = change.mode
    if isinstance(change.content, State):
        return entry | {"state": _write_state(change.content, table)}
    return entry | ({"folder": True} if change.is_folder else {"content": change.content})


class _Line(dict[str, Any]):
    """A mapping that is written on one line."""


class _Dumper(yaml.SafeDumper):
    """Innermost mappings and `_Line`s on one line, texts of several lines in quotes."""


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"' if "\n" in text else None)


def _represent_line(dumper: yaml.SafeDumper, line: _Line) -> yaml.MappingNode:
    return dumper.represent_mapping("tag:yaml.org,2002:map", line, flow_style=True)


_Dumper.add_representer(str, _represent_text)
_Dumper.add_representer(_Line, _represent_line)


def _dump(value: Any, *, flow: bool | None) -> str:
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, width=_WIDTH, default_flow_style=flow).removesuffix("\n")


def _share(value: Any, seen: dict[str, Any]) -> Any:
    """The same document in which equal larger parts are one object, so that they are written once."""
    if isinstance(value, _Line):
        return value
    if isinstance(value, dict):
        shared: Any = {key: _share(item, seen) for key, item in value.items()}
    elif isinstance(value, Sequence) and not isinstance(value, str):
        return [_share(item, seen) for item in value]
    else:
        return value
    text = repr(shared)
    return seen.setdefault(text, shared) if len(text) > _SHARED_CHARACTERS else shared
