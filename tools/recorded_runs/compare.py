"""What differs between a recorded run and ours, as text that can be read and matched."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from typing import Any

from tools.recorded_runs.accepted import Accepted
from tools.recorded_runs.replay import Result
from tools.recorded_runs.scenario import Action, FileChange, Scenario, Version
from tools.recorded_runs.state import State, fold_loops, read_recorded

Command = tuple[str, ...]
Commands = Sequence[tuple[Command, bool]]

_PROBES = (
    ("rpm-ostree", "status"),
    ("ostree", "admin", "--help"),
    ("ostree", "admin", "status"),
    ("systemctl", "is-active"),
    ("systemctl", "is-enabled"),
    ("systemctl", "cat"),
    ("systemctl", "show"),
    ("skopeo", "inspect"),
    ("crictl", "ps"),
    ("crictl", "images"),
    ("podman", "ps"),
    ("podman", "images"),
    ("podman", "image", "exists"),
    ("podman", "image", "inspect"),
    ("podman", "container", "exists"),
    ("nmstatectl", "show"),
)


@dataclass(frozen=True)
class Difference:
    """One difference: what kind it is (state, file, command, refusal, end) and how the two look.

    One of `recorded` and `ours` is empty when the other has no counterpart.
    """

    kind: str
    recorded: str = ""
    ours: str = ""

    def __str__(self) -> str:
        lines = [f"{self.kind}:"]
        recorded, ours = self.recorded.splitlines(), self.ours.splitlines()
        for operation, i, j, k, m in SequenceMatcher(None, recorded, ours, autojunk=False).get_opcodes():
            if operation == "equal":
                lines += [f"    {line}" for line in recorded[i:j]]
            else:
                lines += [f"  - {line}" for line in recorded[i:j]] + [f"  + {line}" for line in ours[k:m]]
        return "\n".join(lines)


def compare(scenario: Scenario, accepted: Accepted, result: Result) -> list[Difference]:
    """All differences but the accepted ones."""
    return [*compare_states(scenario, accepted, result.states), *compare_effects(scenario, accepted, result)]


def compare_states(scenario: Scenario, accepted: Accepted, states: Sequence[State]) -> list[Difference]:
    """All differences but the accepted ones in what the resource looked like, from before the first action on."""
    expected = [step.state for step in accepted.expect(scenario.steps) if isinstance(step, Version)]
    first = [accepted.canonical(read_recorded(scenario.initial))] if scenario.initial else []
    ours = [accepted.canonical(state) for state in states]
    return list(_compare_states([*first, *expected], ours, accepted))


def compare_effects(scenario: Scenario, accepted: Accepted, result: Result) -> list[Difference]:
    """All differences but the accepted ones in files, commands, refused requests and the end."""
    found = (
        *_compare_files(scenario, result.files),
        *_compare_commands(scenario.commands, result.commands, accepted),
        *_compare_refusals(result),
        *_compare_ends(scenario, result),
    )
    return [one for one in found if not accepted.covers(one.kind, one.recorded, one.ours)]


def _compare_states(recorded: Sequence[State], ours: Sequence[State], accepted: Accepted) -> Iterable[Difference]:
    if not accepted.history_is_apart:
        yield from _compare_sequences("state", list(map(str, recorded)), list(map(str, ours)), accepted)
        return
    for kind, describe in (("state", _describe_visible), ("history", State.describe_history)):
        yield from _compare_sequences(kind, list(map(describe, recorded)), list(map(describe, ours)), accepted)


def _describe_visible(state: State) -> str:
    return str(replace(state, history=()))


def _compare_sequences(
    kind: str, recorded: Sequence[str], ours: Sequence[str], accepted: Accepted
) -> Iterable[Difference]:
    recorded = fold_loops(_drop_returns([text for text in recorded if not accepted.is_absent(text)]))
    ours = fold_loops(_drop_returns(_drop_extra(ours, recorded, accepted)))
    for operation, i, j, k, m in SequenceMatcher(None, recorded, ours, autojunk=False).get_opcodes():
        if operation == "equal":
            continue
        paired = min(j - i, m - k)
        for left, right in zip(recorded[i : i + paired], ours[k : k + paired], strict=True):
            yield Difference(kind, left, right)
        for left in recorded[i + paired : j]:
            yield Difference(kind, recorded=left)
        for right in ours[k + paired : m]:
            yield Difference(kind, ours=right)


def _drop_returns(texts: Sequence[str]) -> list[str]:
    """Without progress that is told once more: how often a stage's steps are gone through depends on time alone.

    The end stays, unless it is only where such a round happened to be.
    """
    told: set[str] = set()
    kept: list[str] = []
    for place, text in enumerate(texts, start=1):
        is_return = text in told and "=True/InProgress@" in text
        goes_round = place - 1 > len(kept)
        if not is_return or (place == len(texts) and not goes_round):
            kept.append(text)
        told.add(text)
    return kept


def _drop_extra(ours: Sequence[str], recorded: Collection[str], accepted: Accepted) -> list[str]:
    """Without what ours may show besides, nor the return from it to what was shown before."""
    kept: list[str] = []
    after_extra = False
    for text in ours:
        is_extra = text not in recorded and accepted.is_extra(text)
        if not is_extra and not (after_extra and text in kept):
            kept.append(text)
        after_extra = is_extra
    return kept


def _compare_files(scenario: Scenario, ours: Sequence[FileChange]) -> Iterable[Difference]:
    deployed = any(isinstance(step, Action) and step.do.startswith("new stateroot") for step in scenario.steps)
    left, right = ({change.path: _describe_change(change) for change in side} for side in (scenario.files, ours))
    for path in sorted({*left, *right}):
        # What the run itself placed is in the recording, since it stands for the work of a Job.
        if (
            deployed
            and path not in right
            and left[path].startswith("added")
            and left[path].endswith("folder")
            and path.count("/") <= 5
        ):
            continue
        recorded, own = left.get(path, ""), right.get(path, "")
        if recorded != own:
            yield Difference("file", recorded and f"{path}\n{recorded}", own and f"{path}\n{own}")


def _describe_change(change: FileChange) -> str:
    if change.change == "removed":
        return "removed"
    # The mode of a file that was there before is the recorder's.
    head = change.change if change.change == "modified" else f"{change.change} {change.mode or ''}".strip()
    return f"{head} folder" if change.is_folder else f"{head}\n{_describe_content(change.content)}"


def _describe_content(content: Any, name: str = "") -> str:
    if isinstance(content, dict):
        parts = [_describe_content(value, f"{name}.{key}") for key, value in sorted(content.items())]
        return "\n".join(part for part in parts if part)
    if isinstance(content, list):
        return "\n".join(_describe_content(value, f"{name}[{index}]") for index, value in enumerate(content))
    if content is None and name:
        return ""  # an unset time, for one
    text = str(content) if isinstance(content, State) else repr(content)
    return f"{name} = {text}" if name else text


def _compare_commands(recorded: Commands, ours: Commands, accepted: Accepted) -> Iterable[Difference]:
    left, right = (
        dict.fromkeys(accepted.canonical_command(words) for words in select_changing(side)) for side in (recorded, ours)
    )
    for line in left:
        if line not in right:
            yield Difference("command", recorded=line)
    for line in right:
        if line not in left:
            yield Difference("command", ours=line)


def select_changing(commands: Commands) -> list[Command]:
    """Commands that change the host, each in one form, so that equal effects look the same."""
    nested = {words[0] for words, is_nested in commands if is_nested}
    selected = []
    for words, _ in commands:
        if any(words[: len(probe)] == probe for probe in _PROBES) or _is_out_of_scope(words):
            continue
        if words[:2] == ("bash", "-c") and any(words[2].startswith(name) for name in nested):
            continue  # what it runs is among the commands
        selected.append(_normalise(words))
    return selected


def _is_out_of_scope(words: Command) -> bool:
    """Whether the controller of IPConfig runs it, which lives in the same process: it fetches its tool when idle."""
    return words[:2] == ("podman", "pull") and "/recert:" in words[-1]


def _normalise(words: Command) -> Command:
    if words[0] == "mount":
        return ("mount", *sorted(words[1:]))
    if words[0] == "unshare" and (path := re.search(r"rm -rf .*?(/ostree/deploy/\S+)$", " ".join(words))):
        return ("remove", path[1], "with", "/sysroot", "writable")
    return words


def _compare_refusals(result: Result) -> Iterable[Difference]:
    for action, refusal in result.refusals:
        if action.refused != (refusal is not None):
            recorded = f"refused: {action.details['refused']}" if action.refused else "accepted"
            yield Difference("refusal", f"{action.do}\n{recorded}", f"{action.do}\n{refusal or 'accepted'}")


def _compare_ends(scenario: Scenario, result: Result) -> Iterable[Difference]:
    recorded = f"exit code {scenario.exit_code}, booted {scenario.booted_after}, {' '.join(scenario.deployments_after)}"
    ours = f"exit code {result.exit_code}, booted {result.booted}, {' '.join(result.deployments)}"
    if recorded != ours:
        yield Difference("end", recorded, ours)
