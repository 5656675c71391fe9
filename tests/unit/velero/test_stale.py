"""Whose a Backup is (upgrade-and-oadp.md 6.3, proposals 6 and 7)."""

from __future__ import annotations

from typing import Any

import pytest

from agent.velero.deletion import key_of, name_request
from agent.velero.names import ATTEMPT_ANNOTATION, BOOT_ANNOTATION, CLUSTER_ID_LABEL
from agent.velero.stale import Owner, find_stale
from tests.unit.velero.objects import make_live

OWNER = Owner("c1", "attempt 1")
STARTED = 'found a backup with status "InProgress" during the server starting, mark it as "Failed"'


def make_owned(cluster_id: str | None = "c1", attempt: str | None = "attempt 1") -> dict[str, Any]:
    backup = make_live(phase="Completed")
    backup["metadata"] |= {"labels": {CLUSTER_ID_LABEL: cluster_id}} if cluster_id else {}
    backup["metadata"] |= {"annotations": {ATTEMPT_ANNOTATION: attempt}} if attempt else {}
    return backup


@pytest.mark.parametrize(
    ("backup", "is_stale"),
    [
        (make_owned(), False),
        (make_owned(cluster_id="c2"), True),
        (make_owned(attempt="attempt 0"), True),
        (make_owned(attempt=None), True),
        (make_owned(cluster_id=None), True),
        (make_owned(cluster_id=None, attempt=None), True),
    ],
    ids=["ours", "foreign", "earlier attempt", "no attempt", "no label", "neither"],
)
def test_find_stale_takes_everything_that_this_attempt_has_not_made(backup: dict[str, Any], is_stale: bool) -> None:
    assert find_stale({key_of(backup): backup}, [make_live()], OWNER) == ([backup] if is_stale else [])


def test_find_stale_before_the_first_attempt_takes_every_backup_of_the_name() -> None:
    backup = make_owned()
    assert find_stale({key_of(backup): backup}, [make_live()], Owner("c1", None)) == [backup]


@pytest.mark.parametrize(
    ("begun_in", "reason", "is_lost"),
    [
        ("boot 1", STARTED, True),
        ("boot 2", STARTED, False),
        (None, STARTED, False),
        ("boot 1", "the bucket is full", False),
    ],
    ids=["the node was rebooted", "Velero alone was restarted", "boot unknown", "other reason"],
)
def test_find_stale_takes_what_the_node_lost_in_a_reboot(begun_in: str | None, reason: str, is_lost: bool) -> None:
    backup = make_owned()
    backup["metadata"]["annotations"] |= {BOOT_ANNOTATION: begun_in} if begun_in else {}
    backup["status"] = {"phase": "Failed", "failureReason": reason}
    owner = Owner("c1", "attempt 1", "boot 2")
    assert find_stale({key_of(backup): backup}, [make_live()], owner) == ([backup] if is_lost else [])


def test_lost_backup_of_somebody_else_is_not_ours_to_repeat() -> None:
    backup = make_owned("c2")
    backup["metadata"]["annotations"][BOOT_ANNOTATION] = "boot 1"
    backup["status"] = {"phase": "Failed", "failureReason": STARTED}
    assert not Owner("c1", "attempt 1", "boot 2").has_lost(backup)


def test_find_stale_leaves_other_names_and_namespaces_alone() -> None:
    other, elsewhere = make_owned("c2"), make_owned("c2")
    other["metadata"]["name"], elsewhere["metadata"]["namespace"] = "other", "default"
    live = {key_of(backup): backup for backup in (other, elsewhere)}
    assert find_stale(live, [make_live()], OWNER) == []


def test_mark_makes_a_backup_ours_and_keeps_what_it_has() -> None:
    backup = make_live()
    backup["metadata"] |= {"labels": {"a": "b"}, "annotations": {"c": "d"}}
    marked = OWNER.mark(backup)
    assert OWNER.owns(marked)
    assert marked["metadata"]["labels"] == {"a": "b", CLUSTER_ID_LABEL: "c1"}
    assert marked["metadata"]["annotations"]["c"] == "d"
    assert backup["metadata"]["labels"] == {"a": "b"}


@pytest.mark.parametrize(
    ("backup", "name"),
    [
        ("acm", "acm-1234abcd-2"),
        ("x" * 253, "x" * 242 + "-1234abcd-2"),
        ("x" * 241 + "." * 9, "x" * 241 + "-1234abcd-2"),
    ],
)
def test_name_request_is_valid_and_belongs_to_one_very_backup(backup: str, name: str) -> None:
    assert name_request(backup, "1234abcd-5678", 2) == name
    assert len(name) <= 253
