"""Differences that are meant: what to expect of ours where the original did something else.

`accepted.yaml` lists them, for all runs and for single ones. Each names its row of docs/deviations.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tools.recorded_runs.scenario import Action, Scenario, Version, load_yaml
from tools.recorded_runs.state import Entry, State

FILE = Path(__file__).with_name("accepted.yaml")
DEVIATIONS = Path(__file__).parents[2] / "docs/deviations.md"

# Texts of libraries and of the API server differ from one implementation to the other, and are no requirement.
_FOREIGN_TEXTS = (
    (r"error unmarshaling JSON: .*", "<decoding error>"),
    (r"error converting YAML to JSON: .*", "<decoding error>"),
    (r"(json|yaml): .*", "<decoding error>"),
    (r"strconv\.\w+: .*", "<number error>"),
    (r"\b[\w.]+ (\"[^\"]+\") not found", r"<kind> \1 not found"),
)


@dataclass(frozen=True)
class Rule:
    """One accepted difference. All patterns are regular expressions that are searched for.

    `rewrite` (pattern, replacement) changes messages of the recording; `same` changes those of both sides, for texts of
    which only a part must agree, and `same_commands` commands of both. `history_apart` compares the order of the
    histories and that of everything else one by one, since both need not change in the same write. `history_of_running`
    takes entries of refused stages out of recorded histories, and puts back what a refused Idle wiped. `absent` are
    texts of recorded states that ours need not have, `extra` those of ours that the recording has not. `files`,
    `commands` and `ends` may differ when their line, with - (recorded) or + (ours) in front, matches.
    """

    row: str
    rewrite: Sequence[tuple[str, str]] = ()
    same: Sequence[tuple[str, str]] = ()
    history_apart: bool = False
    history_of_running: bool = False
    absent: Sequence[str] = ()
    extra: Sequence[str] = ()
    files: Sequence[str] = ()
    commands: Sequence[str] = ()
    same_commands: Sequence[tuple[str, str]] = ()
    ends: Sequence[str] = ()

    @classmethod
    def read(cls, entry: Mapping[str, Any]) -> Rule:
        """Read an entry of the file."""
        pairs = {key: [tuple(pair) for pair in entry.get(key, ())] for key in ("rewrite", "same", "same_commands")}
        return cls(**{**entry, **pairs})


@dataclass(frozen=True)
class Accepted:
    """The rules that hold for one run."""

    rules: Sequence[Rule] = field(default_factory=list)

    def canonical(self, state: State) -> State:
        """The state in the form in which both sides are compared."""
        return _substitute(state, [*_FOREIGN_TEXTS, *(pair for rule in self.rules for pair in rule.same)])

    def expect(self, steps: Iterable[Action | Version]) -> list[Action | Version]:
        """The steps of a recording with the states that ours is to show."""
        rewrites = [pair for rule in self.rules for pair in rule.rewrite]
        expected: list[Action | Version] = []
        for step in steps:
            if isinstance(step, Version):
                step = replace(step, state=self.canonical(_substitute(step.state, rewrites)))
                if self.is_absent(str(step.state)):
                    continue
            expected.append(step)
        return _keep_running_history(expected) if any(rule.history_of_running for rule in self.rules) else expected

    @property
    def history_is_apart(self) -> bool:
        """Whether the history may change in another write than the rest."""
        return any(rule.history_apart for rule in self.rules)

    def is_absent(self, text: str) -> bool:
        """Whether ours need not show this (a state or a history as text) although it was recorded."""
        return _matches((pattern for rule in self.rules for pattern in rule.absent), text)

    def is_extra(self, text: str) -> bool:
        """Whether ours may show this (a state or a history as text) although the recording has none such."""
        return _matches((pattern for rule in self.rules for pattern in rule.extra), text)

    def canonical_command(self, words: Sequence[str]) -> str:
        """A command in the form in which both sides are compared."""
        line = " ".join(words)
        for pattern, replacement in (pair for rule in self.rules for pair in rule.same_commands):
            line = re.sub(pattern, replacement, line)
        return line

    def covers(self, kind: str, recorded: str, ours: str) -> bool:
        """Whether a difference in a file, a command or the end of a run is accepted."""
        patterns = [pattern for rule in self.rules for pattern in getattr(rule, f"{kind}s", ())]
        texts = [f"{sign} {text}" for sign, text in (("-", recorded), ("+", ours)) if text]
        return all(_matches(patterns, text) for text in texts)


def read_accepted(scenario: Scenario, path: Path = FILE) -> Accepted:
    """The rules for a scenario: those for all, and its own."""
    document = load_yaml(path)
    entries = [*document["everywhere"], *(document["runs"].get(scenario.id) or ())]
    return Accepted([Rule.read(entry) for entry in entries])


def list_rows(path: Path = FILE) -> set[str]:
    """All rows of docs/deviations.md that the file names."""
    document = load_yaml(path)
    entries = [*document["everywhere"], *(entry for own in document["runs"].values() for entry in own)]
    return {entry["row"] for entry in entries}


def list_deviations(path: Path = DEVIATIONS) -> set[str]:
    """The first cells of all rows of docs/deviations.md."""
    lines = path.read_text().splitlines()
    return {line.split(" | ")[0].removeprefix("| ") for line in lines if line.startswith("| ")}


def _keep_running_history(steps: Sequence[Action | Version]) -> list[Action | Version]:
    kept: list[Action | Version] = []
    refused: set[str] = set()
    history: tuple[Entry, ...] = ()
    for step in steps:
        if isinstance(step, Version):
            reasons = {c.type.removesuffix("InProgress"): c for c in step.state.conditions}
            refused |= {stage for stage, c in reasons.items() if c.reason == "InvalidTransition"}
            refused -= {stage for stage, c in reasons.items() if c.reason == "InProgress" and c.status == "True"}
            wiped = "Idle" in refused and not step.state.history
            own = tuple(entry for entry in step.state.history if entry.name not in refused)
            history = history if wiped else own
            step = replace(step, state=replace(step.state, history=history))
        kept.append(step)
    return kept


def _substitute(state: State, pairs: Sequence[tuple[str, str]]) -> State:
    def change(message: str) -> str:
        for pattern, replacement in pairs:
            message = re.sub(pattern, replacement, message, flags=re.DOTALL)
        return message

    return replace(state, conditions=tuple(replace(c, message=change(c.message)) for c in state.conditions))


def _matches(patterns: Iterable[str], text: str) -> bool:
    return any(re.search(pattern, text) for pattern in patterns)
