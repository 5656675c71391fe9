"""The trigger filter, row by row of ibu-api.md 5.1."""

from typing import Any

import pytest

from agent.runtime.triggers import Change, TriggerFilter

WATCHED = {"done": Change.PRESENCE, "trigger": Change.ADDED_OR_CHANGED}


def make(generation: int = 1, uid: str = "u1", status: Any = None, **annotations: str) -> dict[str, Any]:
    metadata = {"name": "upgrade", "uid": uid, "generation": generation, "annotations": annotations}
    return {"metadata": metadata, "status": status}


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        pytest.param(make(), make(generation=2), True, id="spec-changed"),
        pytest.param(make(), make(status={"conditions": []}), False, id="status-changed"),
        pytest.param(make(), make(other="x"), False, id="other-annotation"),
        pytest.param(make(), make(), False, id="resync"),
        pytest.param(make(), make(done=""), True, id="presence-added-empty"),
        pytest.param(make(done="a"), make(), True, id="presence-removed"),
        pytest.param(make(done="a"), make(done="b"), False, id="presence-value-changed"),
        pytest.param(make(), make(trigger=""), True, id="value-added"),
        pytest.param(make(trigger="1"), make(trigger="2"), True, id="value-changed"),
        pytest.param(make(trigger="1"), make(), False, id="value-removed"),
        pytest.param(make(), make(uid="u2"), True, id="recreated-unnoticed"),
    ],
)
def test_filter_update_admits_as_specified(before: Any, after: Any, expected: bool) -> None:
    triggers = TriggerFilter(WATCHED)
    triggers.admits("ADDED", before)
    assert triggers.admits("MODIFIED", after) is expected


def test_filter_unknown_object_is_admitted_whatever_the_event() -> None:
    assert TriggerFilter(WATCHED).admits("MODIFIED", make())


def test_filter_same_object_listed_again_is_not_admitted() -> None:
    triggers = TriggerFilter(WATCHED)
    triggers.admits("ADDED", make())
    assert not triggers.admits("ADDED", make())


def test_filter_deletion_is_admitted_and_forgotten() -> None:
    triggers = TriggerFilter(WATCHED)
    triggers.admits("ADDED", make())
    assert triggers.admits("DELETED", make())
    assert triggers.admits("ADDED", make())


def test_filter_objects_of_two_namespaces_are_kept_apart() -> None:
    triggers = TriggerFilter({})
    one, two = make(), make()
    two["metadata"]["namespace"] = "other"
    triggers.admits("ADDED", one)
    assert triggers.admits("ADDED", two)


def test_filter_object_without_annotations_or_generation_is_read() -> None:
    assert TriggerFilter(WATCHED).admits("ADDED", {"metadata": {"name": "x", "annotations": None}})
