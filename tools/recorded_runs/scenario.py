"""A recorded run as this tool uses it, and the reader of the recordings' own format."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tools.recorded_runs.state import Object, State, read_object, read_recorded

_PAUSE_SECONDS = 0.3
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True)
class Action:
    """Something that was done to the cluster or the host: the words of the recording and what belongs to them.

    `after_pause` tells that nothing had happened to the resource for a while.
    """

    do: str
    details: Mapping[str, Any] = field(default_factory=dict)
    after_pause: bool = False

    @property
    def refused(self) -> bool:
        """Whether the API server refused it."""
        return "refused" in self.details

    def __str__(self) -> str:
        return f"{self.do} {self.details or ''}".strip()


@dataclass(frozen=True)
class Version:
    """A stored version of the resource. `stage` is spec.stage; `by` who wrote it: user, agent or restore (the agent,
    from a saved resource)."""

    state: State
    by: str = "agent"
    generation: int = 1
    stage: str = ""
    after_pivot: bool = False


@dataclass(frozen=True)
class FileChange:
    """What became of a path: `change` is added, removed or modified; `mode` octal; `content` None when not told.

    `content` is a text, what a JSON file holds, or the State of a saved resource.
    """

    path: str
    change: str
    mode: str | None = None
    content: Any = None
    is_folder: bool = False


@dataclass(frozen=True)
class Scenario:
    """A run: what there is before it, what is done, and everything that was seen.

    `steps` holds actions and versions of the resource in the order in which they happened. `booted` and `deployments`
    (default of the next boot first) are those before the first action; `changes` are in the recordings' words.
    `commands` has every host command with its nesting: deeper ones were run by the one above.
    """

    id: str
    title: str
    extra_crds: frozenset[str]
    changes: Sequence[Object]
    booted: str
    deployments: Sequence[str]
    initial: Object | None
    steps: Sequence[Action | Version]
    commands: Sequence[tuple[tuple[str, ...], bool]]
    files: Sequence[FileChange]
    exit_code: int | None
    booted_after: str
    deployments_after: Sequence[str]
    seconds: float
    command: Sequence[str] = ()
    given: Mapping[str, Any] = field(default_factory=dict)

    @property
    def states(self) -> list[State]:
        """The states in order, repeats included; the initial one is not among them."""
        return [step.state for step in self.steps if isinstance(step, Version)]

    @property
    def starts_without_operator(self) -> bool:
        """Whether the first action is what starts the operator."""
        actions = [step for step in self.steps if isinstance(step, Action)]
        return bool(actions) and actions[0].do.startswith("operator started")


def read_recording(path: Path) -> Scenario:
    """Read one recording (`<id>.yaml`)."""
    document = load_yaml(path)
    given = document.get("given") or {}
    host = given.get("host")
    host = host if isinstance(host, dict) else {}  # those of host programs describe it in words
    trace, actions = document.get("trace") or (), document.get("actions") or ()
    after = document.get("hostAfter") or {}
    times = [entry["t"] for entry in (*trace, *actions)]
    return Scenario(
        id=document["id"],
        title=document["title"],
        extra_crds=frozenset(given.get("extraCRDs") or ()),
        changes=[*(given.get("changes") or ()), *_read_untold(document["id"])],
        booted=host.get("booted", ""),
        deployments=host.get("deployments") or (),
        initial=document.get("initial"),
        steps=_merge(document.get("initial"), actions, trace, host.get("booted", "")),
        commands=[(tuple(map(str, c["argv"])), bool(c.get("nested"))) for c in document.get("hostCommands") or ()],
        files=[_read_file(entry) for entry in document.get("files") or ()],
        exit_code=document.get("exitCode"),
        booted_after=after.get("booted", ""),
        deployments_after=after.get("deployments") or (),
        seconds=max(times, default=0.0),
        command=document.get("command") or (),
        given=given,
    )


def _read_untold(id_: str) -> Sequence[Object]:
    """Changes that a recording's title speaks of and its `given` does not."""
    return load_yaml(Path(__file__).with_name("untold.yaml")).get(id_) or ()


@cache
def load_yaml(path: Path) -> Any:
    """Read a YAML file."""
    return yaml.load(path.read_bytes(), Loader=_LOADER)  # noqa: S506  a safe loader


def _merge(initial: Object | None, actions: Sequence[Object], trace: Sequence[Object], booted: str) -> list[Any]:
    """Actions and versions by their times. Versions tell their spec only when it changed."""
    steps: list[tuple[float, int, Action | Version]] = []
    spec: Object = (initial or {}).get("spec") or {}
    times = sorted([entry["t"] for entry in (*trace, *actions)])
    for entry in actions:
        details = {key: value for key, value in entry.items() if key not in ("t", "do")}
        before = [time for time in times if time < entry["t"]]
        paused = bool(before) and entry["t"] - before[-1] > _PAUSE_SECONDS
        steps.append((entry["t"], 0, Action(entry["do"], details, paused)))
    reboots = [(entry["t"], entry["booted"]) for entry in actions if entry["do"] == "reboot"]
    created = False
    for entry in trace:
        if entry["verb"] == "delete":
            continue
        restored = entry["verb"] == "create" or (created and not _is_fresh(entry))
        created = entry["verb"] == "create"
        spec = entry.get("spec") or spec
        for time, stateroot in reboots:
            booted = stateroot if entry["t"] >= time else booted
        version = (spec.get("seedImageRef") or {}).get("version", "")
        after_pivot = booted == "rhcos_" + version.replace("-", "_")
        by = "restore" if restored else entry["by"]
        seen = Version(read_recorded(entry), by, entry.get("generation", 1), spec.get("stage", ""), after_pivot)
        steps.append((entry["t"], 1, seen))
    return [step for _, _, step in sorted(steps, key=lambda item: item[:2])]


def _is_fresh(entry: Object) -> bool:
    """Whether a first status is that of a resource that nobody saved."""
    return [condition["type"] for condition in entry.get("conditions") or ()] == ["Idle"]


def _read_file(entry: Object) -> FileChange:
    content = entry.get("text", entry.get("json"))
    if "ibu" in entry:
        content = read_recorded(entry["ibu"])
    elif "json" in entry and entry["path"].endswith("/var/lib/lca/ibu.json"):
        content = read_object(entry["json"])
    return FileChange(entry["path"], entry["change"], entry.get("mode"), content, bool(entry.get("dir")))
