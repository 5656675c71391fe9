"""Times of stages and phases (ibu-api.md 3)."""

from datetime import UTC, datetime, timedelta

from agent.workflow.history import Timeline, start_phase, start_stage, stop_phase, stop_stage
from crds.base import Object

START = datetime(2024, 6, 26, tzinfo=UTC)
LATER = START + timedelta(minutes=5)
A, B = "2024-06-26T00:00:00Z", "2024-06-26T00:05:00Z"


def write(timeline: Timeline) -> list[Object]:
    return [entry.write() for entry in timeline]


PREP = start_stage((), "Prep", START)
STATEROOT = start_phase(PREP, "Prep", "Stateroot", START)


def test_started_stage_is_appended() -> None:
    assert write(start_stage(PREP, "Upgrade", LATER)) == [
        {"stage": "Prep", "startTime": A},
        {"stage": "Upgrade", "startTime": B},
    ]


def test_stage_started_again_keeps_its_first_time() -> None:
    assert start_stage(PREP, "Prep", LATER) == PREP


def test_started_phase_is_appended_to_its_stage() -> None:
    assert write(STATEROOT) == [{"stage": "Prep", "startTime": A, "phases": [{"phase": "Stateroot", "startTime": A}]}]


def test_phase_started_again_keeps_its_first_time() -> None:
    assert start_phase(STATEROOT, "Prep", "Stateroot", LATER) == STATEROOT


def test_phase_of_a_stage_without_entry_is_ignored() -> None:
    assert start_phase(PREP, "Upgrade", "PrePivot", START) == stop_phase(PREP, "Upgrade", "PrePivot", START) == PREP


def test_stopped_phase_and_stage_are_completed_once() -> None:
    stopped = stop_stage(stop_phase(STATEROOT, "Prep", "Stateroot", START), "Prep", LATER)
    assert write(stopped)[0]["phases"][0]["completionTime"] == A
    assert write(stopped)[0]["completionTime"] == B
    again = stop_stage(stop_phase(stopped, "Prep", "Stateroot", LATER), "Prep", LATER + timedelta(days=1))
    assert again == stopped


def test_stop_of_a_phase_that_has_not_started_is_ignored() -> None:
    assert stop_phase(STATEROOT, "Prep", "Precache", LATER) == STATEROOT
