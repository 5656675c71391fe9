"""Sequences of states: repeats, and loops whose number of rounds depends on time alone."""

import pytest

from tools.recorded_runs.state import drop_repeats, fold_loops, read_object, read_recorded


@pytest.mark.parametrize(
    ("items", "folded"),
    [
        pytest.param("abc", "abc", id="no-loop"),
        pytest.param("aab", "ab", id="repeats"),
        pytest.param("abcbcbc", "abc", id="loop"),
        pytest.param("abcdbcdbc", "abcd", id="unfinished-round-at-the-end"),
        pytest.param("abab", "ab", id="all-of-it"),
        pytest.param("abcbcd", "abcd", id="loop-that-ends"),
        pytest.param("abacaba", "abacaba", id="returns-but-no-loop"),
    ],
)
def test_fold_loops_keeps_one_round(items: str, folded: str) -> None:
    assert "".join(fold_loops(items)) == folded


def test_drop_repeats_keeps_what_comes_back() -> None:
    assert drop_repeats("aabba") == ["a", "b", "a"]


def test_recorded_and_live_object_give_the_same_state() -> None:
    condition = {"type": "Idle", "status": "True", "reason": "Idle", "message": "Idle"}
    times = {"startTime": "2026-01-01T00:00:00Z", "completionTime": "2026-01-01T00:00:00Z"}
    live = {
        "metadata": {"annotations": {"b": "2", "a": "1"}},
        "status": {
            "conditions": [{**condition, "observedGeneration": 3, "lastTransitionTime": "2026-01-01T00:00:00Z"}],
            "validNextStages": ["Prep"],
            "history": [{"stage": "Prep", **times, "phases": [{"phase": "Stateroot", "startTime": "x"}]}],
        },
    }
    recorded = {
        "annotations": {"a": "1", "b": "2"},
        "conditions": [{**condition, "gen": 3, "ltt": 17}],
        "validNextStages": ["Prep"],
        "history": [{"stage": "Prep", "start": 0, "end": 0, "phases": [{"phase": "Stateroot", "start": 1}]}],
    }
    state = read_object(live)
    assert state == read_recorded(recorded)
    assert state.lines() == [
        "Idle=True/Idle@3 Idle",
        "next: Prep",
        "history: Prep+:Stateroot",
        "annotation: a=1",
        "annotation: b=2",
    ]
