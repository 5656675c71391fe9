"""What is accepted: only what a row of docs/deviations.md tells, and nothing more than that."""

from dataclasses import replace

import pytest

from tools.recorded_runs.accepted import Accepted, Rule, list_deviations, list_rows
from tools.recorded_runs.compare import Difference, compare
from tools.recorded_runs.replay import Result
from tools.recorded_runs.scenario import Action, FileChange, Scenario, Version
from tools.recorded_runs.state import Condition, Entry, State


def make_state(message: str = "m", *, history: str = "", next_stages: tuple[str, ...] = ("Idle",)) -> State:
    entries = (Entry(history),) if history else ()
    return State((Condition("PrepInProgress", "True", "InProgress", message, 2),), next_stages, entries)


def make_run(*states: State, **changes: object) -> Scenario:
    run = Scenario(
        id="run",
        title="t",
        extra_crds=frozenset(),
        changes=(),
        booted="rhcos",
        deployments=("rhcos",),
        initial=None,
        steps=[Action("merge-patch IBU"), *map(Version, states)],
        commands=[(("ostree", "admin", "undeploy", "1"), False)],
        files=[FileChange("/x", "added", "0600", {"a": [1, 2]})],
        exit_code=None,
        booted_after="rhcos",
        deployments_after=("rhcos",),
        seconds=0.0,
    )
    return replace(run, **changes)  # type: ignore[arg-type]


def make_result(run: Scenario, *states: State, **changes: object) -> Result:
    result = Result(
        states=list(states),
        commands=list(run.commands),
        files=list(run.files),
        refusals=[],
        exit_code=None,
        booted="rhcos",
        deployments=["rhcos"],
        log="",
    )
    return replace(result, **changes)  # type: ignore[arg-type]


def find_differences(run: Scenario, result: Result, **rule: object) -> list[Difference]:
    return compare(run, Accepted([Rule("row", **rule)]), result)  # type: ignore[arg-type]


def test_every_accepted_row_is_a_documented_deviation() -> None:
    assert list_rows() - list_deviations() == set()


def test_compare_equal_run_finds_nothing() -> None:
    run = make_run(make_state("a"), make_state("b"))
    assert find_differences(run, make_result(run, make_state("a"), make_state("b"), make_state("b"))) == []


@pytest.mark.parametrize(
    "states",
    [
        pytest.param(["a"], id="missing"),
        pytest.param(["b", "a"], id="other-order"),
        pytest.param(["a", "b", "c"], id="one-more"),
        pytest.param(["a", "B"], id="other-text"),
    ],
)
def test_compare_other_states_are_found(states: list[str]) -> None:
    run = make_run(make_state("a"), make_state("b"))
    assert {d.kind for d in find_differences(run, make_result(run, *map(make_state, states)))} == {"state"}


def test_compare_other_next_stages_are_found() -> None:
    run = make_run(make_state())
    (found,) = find_differences(run, make_result(run, make_state(next_stages=())))
    assert "  - next: Idle\n  + next: -" in str(found)


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        pytest.param({"commands": []}, "command", id="command"),
        pytest.param({"files": []}, "file", id="no-file"),
        pytest.param({"files": [FileChange("/x", "added", "0644", {"a": [1, 2]})]}, "file", id="mode"),
        pytest.param({"files": [FileChange("/x", "added", "0600", {"a": [2, 1]})]}, "file", id="content"),
        pytest.param({"exit_code": 1}, "end", id="exit-code"),
        pytest.param({"booted": "rhcos_1"}, "end", id="booted"),
    ],
)
def test_compare_other_effects_are_found(changes: dict[str, object], kind: str) -> None:
    run = make_run(make_state())
    (found,) = find_differences(run, make_result(run, make_state(), **changes))
    assert found.kind == kind


def test_compare_order_and_number_of_commands_do_not_count() -> None:
    commands = [(("mount", "/sysroot", "-o", "remount,rw"), False), (("podman", "rmi", "a"), False)]
    run = make_run(make_state(), commands=commands)
    ours = [*reversed(commands), (("mount", "-o", "remount,rw", "/sysroot"), True), (("rpm-ostree", "status"), False)]
    assert find_differences(run, make_result(run, make_state(), commands=ours)) == []


def test_accepted_rewrite_changes_what_is_expected() -> None:
    run = make_run(make_state("name: "))
    rule = {"rewrite": [("name: $", "name: x")]}
    assert find_differences(run, make_result(run, make_state("name: x")), **rule) == []
    assert find_differences(run, make_result(run, make_state("name: ")), **rule)


def test_accepted_history_apart_still_compares_the_histories() -> None:
    run = make_run(make_state("a"), make_state("a", history="Prep"), make_state("b", history="Prep"))
    merged = (make_state("a", history="Prep"), make_state("b", history="Prep"))
    assert find_differences(run, make_result(run, State(), *merged), history_apart=True, extra=["^next: -$"]) == []
    wrong = (make_state("a", history="Upgrade"), make_state("b", history="Upgrade"))
    found = find_differences(run, make_result(run, *wrong), history_apart=True)
    assert {difference.kind for difference in found} == {"history"}


def test_accepted_extra_state_does_not_hide_a_missing_one() -> None:
    run = make_run(make_state("a"), make_state("b"))
    rule = {"extra": ["retrying"]}
    assert find_differences(run, make_result(run, *map(make_state, ("a", "retrying", "b"))), **rule) == []
    assert find_differences(run, make_result(run, *map(make_state, ("a", "retrying"))), **rule)


def test_accepted_file_is_that_path_only() -> None:
    run = make_run(make_state())
    ours = [*run.files, FileChange("/y", "added", "0600", "")]
    assert find_differences(run, make_result(run, make_state(), files=ours), files=[r"^\+ /y\n"]) == []
    assert find_differences(run, make_result(run, make_state(), files=ours), files=[r"^\+ /z\n"])


def test_foreign_texts_are_the_same_whatever_they_say() -> None:
    run = make_run(make_state('failed: Secret "nope" not found'))
    assert find_differences(run, make_result(run, make_state('failed: secrets "nope" not found'))) == []
    assert find_differences(run, make_result(run, make_state('failed: secrets "other" not found')))
