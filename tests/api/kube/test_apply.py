"""Applying manifests to the real API server (prep.md 4.4.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from agent.kube import Client, Kind, Object, errors
from agent.kube.manifests import APPLY_TYPE_ANNOTATION, ApplyError, apply_manifest

if TYPE_CHECKING:
    from tests.api.kube.conftest import Gateway

CONFIG_MAP = Kind("", "v1", "ConfigMap")


def manifest(namespace: str | None, apply_type: str | None = None, **data: str) -> Object:
    metadata: dict[str, Any] = {"name": "x", "labels": {"by": "manifest"}}
    if namespace:
        metadata["namespace"] = namespace
    if apply_type:
        metadata["annotations"] = {APPLY_TYPE_ANNOTATION: apply_type}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


@pytest.fixture
def existing(client: Client, namespace: str) -> Object:
    obj = manifest(namespace, a="old", b="kept?")
    obj["metadata"]["labels"] = {"other": "label"}
    return client.create(obj)


@pytest.mark.parametrize("apply_type", [None, "replace", "merge"])
def test_apply_creates_what_is_missing_without_the_annotation(
    client: Client, namespace: str, apply_type: str | None
) -> None:
    given = manifest(namespace, apply_type, a="1")
    given["metadata"] |= {"resourceVersion": "7", "uid": "u"}
    applied = apply_manifest(client, given)
    assert client.get(CONFIG_MAP, "x", namespace) == applied
    assert "annotations" not in applied["metadata"]


def test_apply_replaces_what_exists(client: Client, namespace: str, existing: Object) -> None:
    applied = apply_manifest(client, manifest(namespace, a="new"))
    assert applied["data"] == {"a": "new"}
    assert applied["metadata"]["labels"] == {"by": "manifest"}


def test_apply_merges_into_what_exists(client: Client, namespace: str, existing: Object) -> None:
    applied = apply_manifest(client, manifest(namespace, "merge", a="new"))
    assert applied["data"] == {"a": "new", "b": "kept?"}
    assert applied["metadata"]["labels"] == {"by": "manifest", "other": "label"}
    assert applied["metadata"]["uid"] == existing["metadata"]["uid"]


def test_apply_again_writes_nothing_new(client: Client, namespace: str) -> None:
    first = apply_manifest(client, manifest(namespace, "merge", a="1"))
    again = apply_manifest(client, manifest(namespace, "merge", a="1"))
    assert again["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]


def test_apply_does_not_change_the_manifest(client: Client, namespace: str) -> None:
    given = manifest(namespace, "merge", a="1")
    apply_manifest(client, given)
    assert given == manifest(namespace, "merge", a="1")


@pytest.mark.parametrize("apply_type", ["replace", "merge"])
def test_dry_run_changes_nothing(client: Client, namespace: str, existing: Object, apply_type: str) -> None:
    applied = apply_manifest(client, manifest(namespace, apply_type, a="new"), dry_run=True)
    assert applied["data"]["a"] == "new"
    assert client.get(CONFIG_MAP, "x", namespace) == existing


def test_dry_run_of_a_missing_object_creates_nothing(client: Client, namespace: str) -> None:
    apply_manifest(client, manifest(namespace, a="new"), dry_run=True)
    assert client.find(CONFIG_MAP, "x", namespace) is None


def test_apply_without_namespace_goes_to_default(client: Client) -> None:
    assert apply_manifest(client, manifest(None), dry_run=True)["metadata"]["namespace"] == "default"


def test_apply_in_a_race_looks_again(
    through_gateway: Client, gateway: Gateway, namespace: str, client: Client, existing: Object
) -> None:
    gone = {"kind": "Status", "code": 404, "reason": "NotFound", "message": "gone", "details": {"name": "x"}}
    gateway.answer(404, gone)
    applied = apply_manifest(through_gateway, manifest(namespace, "merge", a="new"))
    assert applied["data"] == {"a": "new", "b": "kept?"}
    assert [r.split()[0] for r in gateway.requests] == ["GET", "POST", "GET", "PUT"]


def test_apply_of_an_unknown_kind_has_no_mapping(client: Client, namespace: str) -> None:
    thing = {**manifest(namespace), "apiVersion": "nowhere.example.com/v1", "kind": "Thing"}
    with pytest.raises(ApplyError) as caught:
        apply_manifest(client, thing)
    expected = 'failed to get RESTMapping: no matches for kind "Thing" in version "nowhere.example.com/v1"'
    assert str(caught.value) == expected
    assert isinstance(caught.value.cause, errors.KindNotServed)


def test_apply_of_an_unknown_type_is_an_error(client: Client, namespace: str) -> None:
    with pytest.raises(ApplyError, match="apply-type is 'patch'; use replace or merge") as caught:
        apply_manifest(client, manifest(namespace, "patch"))
    assert caught.value.cause is None


def test_apply_of_an_invalid_object_tells_step_and_cause(client: Client, namespace: str, box: Kind) -> None:
    metadata = {"name": "b", "namespace": namespace}
    invalid = {"apiVersion": box.api_version, "kind": "Box", "metadata": metadata, "spec": {"size": 0}}
    with pytest.raises(ApplyError) as created:
        apply_manifest(client, invalid)
    assert str(created.value) == f"failed to create manifest Box called b: {created.value.cause}"
    assert isinstance(created.value.cause, errors.Invalid)
    apply_manifest(client, {**invalid, "spec": {"size": 1}})
    with pytest.raises(ApplyError, match="^failed to replace manifest Box called b: "):
        apply_manifest(client, invalid)
    metadata["annotations"] = {APPLY_TYPE_ANNOTATION: "merge"}
    with pytest.raises(ApplyError, match="^failed to update manifest Box called b: "):
        apply_manifest(client, invalid)


def test_apply_without_name_is_refused(client: Client, namespace: str) -> None:
    unnamed = {**manifest(namespace), "metadata": {"namespace": namespace}}
    with pytest.raises(ApplyError, match="ConfigMap called None: resource name may not be empty"):
        apply_manifest(client, unnamed)
