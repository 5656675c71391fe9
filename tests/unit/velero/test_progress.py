"""Phases, progress and standstill of upgrade-and-oadp.md 6.4 and proposal 8."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from agent.velero.progress import Standing, describe_progress, is_running, judge, measure_progress
from agent.velero.standstill import is_too_long, read_note
from tests.unit.velero.objects import make_live

START = datetime(2026, 3, 1, 10, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("phase", "standing"),
    [
        ("Completed", Standing.SUCCEEDED),
        ("Failed", Standing.FAILED),
        ("PartiallyFailed", Standing.FAILED),
        ("FailedValidation", Standing.FAILED),
        ("", Standing.PENDING),
        ("New", Standing.PROGRESSING),
        ("Queued", Standing.PROGRESSING),
        ("ReadyToStart", Standing.PROGRESSING),
        ("InProgress", Standing.PROGRESSING),
        ("WaitingForPluginOperationsPartiallyFailed", Standing.PROGRESSING),
        ("FinalizingPartiallyFailed", Standing.PROGRESSING),
        ("Deleting", Standing.PROGRESSING),
        ("SomethingNew", Standing.PROGRESSING),
    ],
)
def test_judge_classifies_every_phase(phase: str, standing: Standing) -> None:
    assert judge(make_live(phase=phase)) is standing


def test_judge_object_without_status_is_pending() -> None:
    backup = make_live()
    del backup["status"]
    assert judge(backup) is Standing.PENDING


@pytest.mark.parametrize(
    ("phase", "running"),
    [("", False), ("New", False), ("InProgress", True), ("Finalizing", True), ("Completed", False)],
)
def test_is_running_means_that_velero_works_on_it(phase: str, running: bool) -> None:
    assert is_running(make_live(phase=phase)) is running


@pytest.mark.parametrize(
    ("status", "text"),
    [
        ({}, "b not started yet"),
        ({"phase": "InProgress"}, "b InProgress"),
        ({"phase": "InProgress", "progress": {"totalItems": 340, "itemsBackedUp": 120}}, "b InProgress 120/340 items"),
        ({"phase": "InProgress", "progress": {"totalItems": 340}}, "b InProgress 0/340 items"),
        ({"phase": "InProgress", "progress": {"totalItems": 4, "itemsRestored": 3}}, "b InProgress 3/4 items"),
        ({"phase": "Finalizing", "progress": None}, "b Finalizing"),
    ],
)
def test_describe_progress_tells_phase_and_items(status: dict[str, object], text: str) -> None:
    assert describe_progress(make_live(**status)) == text


@pytest.mark.parametrize(("minutes", "told"), [(4, ""), (12, " (no progress for 12 min)")])
def test_describe_progress_mentions_a_long_standstill(minutes: int, told: str) -> None:
    backup = make_live(phase="InProgress")
    assert describe_progress(backup, timedelta(minutes=minutes)) == f"b InProgress{told}"


def test_measure_progress_counts_operations_of_plugins() -> None:
    status = {"phase": "WaitingForPluginOperations", "progress": {"totalItems": 4, "itemsBackedUp": 4}}
    status |= {"backupItemOperationsAttempted": 3, "backupItemOperationsCompleted": 1}
    assert measure_progress(make_live(**status)) == "WaitingForPluginOperations 4/4 items 1/3 operations"


@pytest.mark.parametrize(
    ("note", "since"),
    [
        ("2026-03-01T10:00:00Z InProgress 1/2 items", START),
        ("2026-03-01T10:00:00Z InProgress 0/2 items", None),
        ("2026-03-01T10:00:00 InProgress 1/2 items", None),
        ("soon InProgress 1/2 items", None),
        ("", None),
    ],
    ids=["same", "other progress", "no zone", "no time", "none"],
)
def test_read_note_counts_for_the_same_progress_only(note: str, since: datetime | None) -> None:
    assert read_note(note, "InProgress 1/2 items") == since


@pytest.mark.parametrize(
    ("limit", "hours", "is_over"),
    [(None, 2, False), (None, 3, True), ("4h", 3, False), ("4h", 5, True), ("0", 500, False), ("soon", 3, True)],
)
def test_is_too_long_by_the_backups_own_limit(limit: str | None, hours: int, is_over: bool) -> None:
    backup = make_live(phase="InProgress")
    backup["metadata"]["annotations"] = {"lca.openshift.io/backup-timeout": limit} if limit else {}
    assert is_too_long(backup, timedelta(hours=hours)) is is_over
