from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.velero.archive import ArchiveError, pack_objects, unpack_objects
from sandbox.velero.clock import parse_duration
from sandbox.velero.names import label_value
from sandbox.velero.restoring import order_types
from sandbox.velero.rewriting import is_finished, make_patch, rewrite, strip_object, unbind
from sandbox.velero.selectors import matches

JSON_MAPS = st.recursive(
    st.integers() | st.text(max_size=3) | st.lists(st.integers(), max_size=2),
    lambda children: st.dictionaries(st.sampled_from("abc"), children, max_size=3),
    max_leaves=6,
).filter(lambda value: isinstance(value, dict))


def apply_patch(target: Any, patch: Any) -> Any:
    """RFC 7386, as its text says."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = apply_patch(result.get(key), value)
    return result


@given(JSON_MAPS, JSON_MAPS)
def test_patch_turns_the_old_into_the_new(old: dict[str, Any], new: dict[str, Any]) -> None:
    assert apply_patch(old, make_patch(old, new)) == new


def test_stripped_object_keeps_what_the_user_wrote() -> None:
    kept = {"name": "a", "namespace": "b", "labels": {"x": "y"}, "annotations": {"k": "v"}, "finalizers": ["f"]}
    given = {**kept, "uid": "1", "resourceVersion": "2", "ownerReferences": [{}], "managedFields": [{}]}
    assert strip_object({"metadata": given, "spec": {}, "status": {"a": 1}}) == {"metadata": kept, "spec": {}}


def test_unbound_volume_keeps_its_claim_without_the_uid() -> None:
    annotations = {"pv.kubernetes.io/bound-by-controller": "yes", "pv.kubernetes.io/provisioned-by": "topolvm.io"}
    claim = {"name": "db", "namespace": "a", "uid": "1", "resourceVersion": "2"}
    volume = {"metadata": {"annotations": annotations}, "spec": {"claimRef": claim}}
    unbind(volume)
    assert volume["spec"]["claimRef"] == {"name": "db", "namespace": "a"}
    assert volume["metadata"]["annotations"] == {"pv.kubernetes.io/provisioned-by": "topolvm.io"}


def test_pod_loses_its_node_and_its_token() -> None:
    volumes = [{"name": "kube-api-access-x"}, {"name": "default-token-abc"}, {"name": "data"}]
    container = {"name": "c", "volumeMounts": [dict(volume) for volume in volumes]}
    pod = {"metadata": {}, "spec": {"nodeName": "sno1", "volumes": volumes, "containers": [container]}}
    rewrite("pods", pod)
    assert pod["spec"] == {
        "volumes": [{"name": "data"}],
        "containers": [{"name": "c", "volumeMounts": [{"name": "data"}]}],
    }


def test_job_loses_the_selector_of_its_old_pods() -> None:
    uid = {"controller-uid": "1"}
    job = {
        "metadata": {"labels": dict(uid)},
        "spec": {"selector": {"matchLabels": dict(uid)}, "template": {"metadata": {"labels": {**uid, "app": "x"}}}},
    }
    rewrite("jobs.batch", job)
    assert job["metadata"]["labels"] == job["spec"]["selector"]["matchLabels"] == {}
    assert job["spec"]["template"]["metadata"]["labels"] == {"app": "x"}


@pytest.mark.parametrize(
    ("type_name", "status", "finished"),
    [
        ("pods", {"phase": "Succeeded"}, True),
        ("pods", {"phase": "Running"}, False),
        ("jobs.batch", {"completionTime": "2026-01-01T00:00:00Z"}, True),
        ("jobs.batch", {}, False),
        ("configmaps", {"phase": "Failed"}, False),
    ],
)
def test_finished_pods_and_jobs_are_not_restored(type_name: str, status: Any, finished: bool) -> None:
    assert is_finished(type_name, {"status": status}) is finished


def test_types_are_restored_in_the_order_of_their_needs() -> None:
    names = [
        "deployments.apps",
        "configmaps",
        "persistentvolumes",
        "services",
        "pods",
        "apples.fruit",
        "persistentvolumeclaims",
    ]
    assert order_types(names) == [
        "persistentvolumes",
        "persistentvolumeclaims",
        "configmaps",
        "pods",
        "services",
        "apples.fruit",
        "deployments.apps",
    ]


@pytest.mark.parametrize(
    ("selector", "chosen"),
    [
        ({}, True),
        ({"matchLabels": {"app": "web"}}, True),
        ({"matchLabels": {"app": "db"}}, False),
        ({"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["db"]}]}, True),
        ({"matchExpressions": [{"key": "tier", "operator": "Exists"}]}, False),
        ({"matchExpressions": [{"key": "tier", "operator": "DoesNotExist"}]}, True),
        ({"matchLabels": {"app": "web"}, "matchExpressions": [{"key": "app", "operator": "In", "values": []}]}, False),
    ],
)
def test_selector_chooses_by_labels(selector: Any, chosen: bool) -> None:
    assert matches(selector, {"app": "web"}) is chosen


def test_archive_gives_back_what_was_put_in() -> None:
    pod = ("pods", {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "a"}})
    role = ("roles.x.io", {"apiVersion": "x.io/v1", "kind": "Role", "metadata": {"name": "r:x"}})
    assert list(unpack_objects(pack_objects([pod, role]))) == [pod, role]


def test_archive_that_is_none_says_so() -> None:
    with pytest.raises(ArchiveError, match="error extracting backup"):
        list(unpack_objects(b"no tarball"))


@pytest.mark.parametrize(
    ("text", "seconds"), [("720h0m0s", 2592000), ("1h30m", 5400), ("1.5s", 1.5), ("0", 0), ("0s", 0)]
)
def test_duration_is_read_as_go_writes_it(text: str, seconds: float) -> None:
    assert parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "5", "h", "1d", "1h x"])
def test_duration_that_go_would_not_read_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="invalid duration"):
        parse_duration(text)


def test_long_name_becomes_a_label_of_63_characters_that_tells_it_apart() -> None:
    values = {label_value("x" * 80 + end) for end in "ab"}
    assert {len(value) for value in values} == {63}
    assert len(values) == 2
