"""Prep to its end, and back."""

from __future__ import annotations

from agent.kube import Object
from tests.flow.prep.prepared import assert_prepared
from tests.flow.prep.upgrade import (
    NAMESPACE,
    Upgrade,
    drop_repeats,
    get_message,
    is_idle,
    is_prep_over,
    list_reasons,
    mask_counters,
)

META = "job-name: {}, job-namespace: " + NAMESPACE


def test_prep_runs_to_completion_and_abort_removes_everything(upgrade: Upgrade) -> None:
    states = upgrade.prepare(is_prep_over)

    assert_told_in_order(states)
    assert_prepared(upgrade, states[-1])

    states = upgrade.abort()

    assert drop_repeats(map(list_reasons, states[1:])) == [
        [
            ("PrepInProgress", "False", "Completed"),
            ("PrepCompleted", "True", "Completed"),
            ("Idle", "False", "Aborting"),
        ],
        [("Idle", "True", "Idle")],
    ]
    assert all("history" not in state["status"] for state in states if is_idle(state))


def assert_told_in_order(states: list[Object]) -> None:
    """The conditions of ibu-api.md 2.7 in their order, and the texts of prep.md 2 in theirs."""
    running = [("Idle", "False", "InProgress"), ("PrepInProgress", "True", "InProgress")]
    assert drop_repeats(map(list_reasons, states)) == [
        [("Idle", "True", "Idle")],
        running,
        [running[0], ("PrepInProgress", "False", "Completed"), ("PrepCompleted", "True", "Completed")],
    ]
    stateroot, precache = META.format("lca-prep-stateroot-setup"), META.format("lca-prep-precache")
    assert drop_repeats(mask_counters(get_message(state, "PrepInProgress")) for state in states) == [
        "",
        "In progress",
        f"Successfully launched a new job for stateroot setup. {stateroot}",
        f"Stateroot setup job in progress. {stateroot}",
        f"Successfully launched a new job precache. {precache}",
        f"Precache job in progress. {precache}. <progress>",
        "Prep completed",
    ]
    assert all(state["status"]["validNextStages"] == ["Idle"] for state in states if list_reasons(state) == running)
