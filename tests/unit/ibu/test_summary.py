"""The summary's first-match table of ibu-api.md 10.9, and the timeline's arithmetic."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from agent.ibu.summary import (
    Asked,
    Span,
    describe_state,
    draw_bar,
    format_duration,
    list_spans,
    summarize,
    tell_ending,
)
from crds.imagebasedupgrade import ImageBasedUpgrade

T = "2026-01-01T00:00:00Z"
DETAIL = [f"    Time:    {T}", "    Reason:  R", "    Message: M"]


def make_ibu(**conditions: str) -> ImageBasedUpgrade:
    listed = [
        {"type": t, "status": s, "reason": "R", "message": "M", "lastTransitionTime": T} for t, s in conditions.items()
    ]
    spec = {"stage": "Prep", "seedImageRef": {"image": "q.io/seed:1", "version": "4.16.1"}}
    return ImageBasedUpgrade.read({"spec": spec, "status": {"conditions": listed}})


@pytest.mark.parametrize(
    ("conditions", "lines"),
    [
        ({"Idle": "False", "RollbackCompleted": "True"}, [f"  Rollback completed at: {T}"]),
        ({"RollbackCompleted": "False", "RollbackInProgress": "False"}, ["  Rollback failed:", *DETAIL]),
        ({"UpgradeCompleted": "False", "RollbackInProgress": "True"}, [f"  Rollback in progress at: {T}"]),
        ({"PrepCompleted": "True", "UpgradeCompleted": "True"}, [f"  Upgrade completed at: {T}"]),
        ({"UpgradeCompleted": "False", "UpgradeInProgress": "False"}, ["  Upgrade failed:", *DETAIL]),
        ({"PrepCompleted": "True", "UpgradeInProgress": "True"}, [f"  Upgrade in progress at: {T}"]),
        ({"PrepInProgress": "False", "PrepCompleted": "True"}, [f"  Prep completed at: {T}"]),
        ({"PrepInProgress": "False", "PrepCompleted": "False"}, ["  Prep failed:", *DETAIL]),
        ({"Idle": "False", "PrepInProgress": "True"}, [f"  Prep in progress at: {T}"]),
        ({"Idle": "True"}, [f"  Idle. Last transition time: {T}"]),
        ({"Idle": "False"}, ["  Idle False!!!", *DETAIL]),
        ({}, ["  Unhandled state!!!"]),
    ],
)
def test_summarize_first_matching_state_wins(conditions: dict[str, str], lines: list[str]) -> None:
    assert summarize(make_ibu(**conditions))[4:] == lines


def test_summarize_names_image_version_and_stage() -> None:
    assert summarize(make_ibu(Idle="True"))[:4] == [
        "Image:   q.io/seed:1",
        "Version: 4.16.1",
        "Stage:   Prep",
        "Status:",
    ]


def test_summarize_fresh_object_has_empty_fields() -> None:
    lines = summarize(ImageBasedUpgrade.read({"spec": {"stage": "Idle", "seedImageRef": {}}}))
    assert lines == ["Image:   ", "Version: ", "Stage:   Idle", "Status:", "  Unhandled state!!!"]


@pytest.mark.parametrize(("seconds", "text"), [(0, "0s"), (59, "59s"), (270, "4m30s"), (3720, "1h02m"), (-5, "0s")])
def test_format_duration_is_short(seconds: int, text: str) -> None:
    assert format_duration(timedelta(seconds=seconds)) == text


def make_time(second: int) -> datetime:
    return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=second)


@pytest.mark.parametrize(
    ("start", "end", "bar"),
    [(0, 100, (0, 10)), (50, 100, (5, 5)), (50, None, (5, 5)), (100, 100, (9, 1)), (10, 10, (1, 1))],
)
def test_draw_bar_stays_on_the_line(start: int, end: int | None, bar: tuple[int, int]) -> None:
    span = Span("x", 0, make_time(start), None if end is None else make_time(end))
    assert draw_bar(span, make_time(0), make_time(100), columns=10) == bar


def test_list_spans_puts_phases_below_their_stage() -> None:
    phases: list[dict[str, Any]] = [{"phase": "Stateroot", "startTime": T, "completionTime": T}, {"phase": "odd"}]
    history = [{"stage": "Prep", "startTime": T, "phases": phases}, {"stage": "Upgrade"}]
    spans = list_spans(ImageBasedUpgrade.read({"spec": {}, "status": {"history": history}}))
    assert [(s.name, s.depth, s.end is None) for s in spans] == [("Prep", 0, True), ("Stateroot", 1, False)]


def make_state(
    stage: str, *conditions: tuple[str, str, str, str], next_stages: tuple[str, ...] = ()
) -> ImageBasedUpgrade:
    keys = ("type", "status", "reason", "message")
    listed = [dict(zip(keys, condition, strict=True)) | {"lastTransitionTime": T} for condition in conditions]
    status = {"conditions": listed, "validNextStages": list(next_stages), "observedGeneration": 2}
    return ImageBasedUpgrade.read({"metadata": {"generation": 2}, "spec": {"stage": stage}, "status": status})


IDLE_FALSE = ("Idle", "False", "InProgress", "In progress")
ROLLS_BACK = (
    ("UpgradeCompleted", "False", "Failed", "Upgrade failed"),
    ("UpgradeInProgress", "False", "Failed", "Rollback due to restore failure: Failed restore CRs: a"),
)


@pytest.mark.parametrize(
    ("state", "ending"),
    [
        (make_state("Idle", ("Idle", "True", "Idle", "Idle")), True),
        (make_state("Idle", ("Idle", "False", "Aborting", "Aborting")), None),
        (make_state("Idle", ("Idle", "False", "AbortFailed", "x")), False),
        (make_state("Idle", ("Idle", "False", "FinalizeFailed", "x")), False),
        (make_state("Prep", IDLE_FALSE, ("PrepInProgress", "True", "InProgress", "x")), None),
        (make_state("Prep", IDLE_FALSE, ("PrepCompleted", "True", "Completed", "x")), True),
        (make_state("Prep", IDLE_FALSE, ("PrepCompleted", "False", "Failed", "Prep failed")), False),
        (make_state("Upgrade", IDLE_FALSE, ("UpgradeInProgress", "False", "InvalidTransition", "x")), False),
        (make_state("Upgrade", IDLE_FALSE, *ROLLS_BACK, next_stages=("Rollback",)), None),
        (make_state("Upgrade", IDLE_FALSE, *ROLLS_BACK, next_stages=("Idle",)), False),
        (make_state("Rollback", IDLE_FALSE, *ROLLS_BACK, ("RollbackInProgress", "True", "InProgress", "x")), None),
    ],
)
def test_tell_ending_knows_what_goes_on_by_itself(state: ImageBasedUpgrade, ending: bool | None) -> None:
    assert tell_ending(state) is ending


def test_tell_ending_waits_until_the_request_was_seen() -> None:
    idle = make_state("Idle", ("Idle", "True", "Idle", "Idle"))
    asked = idle.model_copy(update={"metadata": idle.metadata.model_copy(update={"generation": 3})})
    assert tell_ending(asked) is None


def test_describe_state_names_stage_phase_and_last_condition() -> None:
    state = make_state("Upgrade", IDLE_FALSE, ("UpgradeInProgress", "True", "InProgress", "Backing up"))
    history = [{"stage": "Upgrade", "startTime": T, "phases": [{"phase": "PrePivot", "startTime": T}]}]
    running = ImageBasedUpgrade.read({**state.write(), "status": {**state.status.write(), "history": history}})
    assert describe_state(running) == "Upgrade/PrePivot  InProgress: Backing up"
    assert describe_state(make_state("Idle", ("Idle", "True", "Idle", "Idle"))) == "Idle  Idle"
    assert describe_state(ImageBasedUpgrade.read({"spec": {"stage": "Prep"}})) == "Prep: not looked at yet"


def test_asked_passes_over_the_resource_of_a_seed() -> None:
    asked = Asked()

    def admits(stage: str, uid: str) -> bool:
        return asked.admits(ImageBasedUpgrade.read({"metadata": {"uid": uid}, "spec": {"stage": stage}}))

    assert admits("Upgrade", "before the reboot")
    assert not admits("Idle", "in the seed")
    assert admits("Upgrade", "put back")
    assert admits("Idle", "put back"), "a user has changed the stage"
