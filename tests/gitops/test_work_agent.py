"""The work agent of these tests itself: feedback by JSONPath, metadata of a replaced object."""

from typing import Any

import pytest

from tests.gitops.work_agent import (
    ACTIONS,
    OWNER,
    feedback_path,
    is_done,
    make_manifest,
    merge_metadata,
    read_feedback,
)

IBU: dict[str, Any] = {
    "status": {
        "conditions": [
            {"type": "Idle", "status": "False", "message": "m"},
            {"type": "PrepCompleted", "status": "True", "message": "done"},
        ]
    }
}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        pytest.param('.status.conditions[?(@.type=="PrepCompleted")].status', "True", id="filter"),
        pytest.param('.status.conditions[?(@.type=="PrepCompleted")].message', "done", id="other-field"),
        pytest.param('.status.conditions[?(@.type=="UpgradeCompleted")].status', None, id="no-such-item"),
        pytest.param('.status.conditions[?(@.type=="PrepInProgress")].message\'', None, id="stray-quote"),
        pytest.param(".spec.stage", None, id="no-such-field"),
    ],
)
def test_read_feedback(path: str, found: str | None) -> None:
    assert read_feedback(IBU, path) == found


def test_read_feedback_of_a_condition_given_twice_is_nothing() -> None:
    twice = {"status": {"conditions": IBU["status"]["conditions"] * 2}}
    assert read_feedback(twice, feedback_path("Prep")) is None


@pytest.mark.parametrize("action", ACTIONS)
def test_is_done_needs_true(action: str) -> None:
    assert is_done(IBU, action) is (action == "Prep")
    assert not is_done({}, action)


def test_merge_metadata_replaces_the_spec_and_keeps_the_rest() -> None:
    live: dict[str, Any] = {
        "metadata": {
            "name": "upgrade",
            "uid": "u",
            "resourceVersion": "7",
            "labels": {"a": "1"},
            "annotations": {"mine": "x", "both": "old"},
            "finalizers": ["f"],
            "ownerReferences": [{"uid": "other"}],
        },
        "spec": {"stage": "Idle", "extraManifests": []},
    }
    stored = merge_metadata(make_manifest("Prep", {"seedImageRef": {}}, {"both": "new"}), live)
    assert stored["spec"] == {"stage": "Prep", "seedImageRef": {}}
    assert stored["metadata"] == {
        **live["metadata"],
        "annotations": {"mine": "x", "both": "new"},
        "ownerReferences": [{"uid": "other"}, OWNER],
    }
