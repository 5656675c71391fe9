"""Reading and writing single objects."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from agent.kube import Client, Kind, Object, errors

CONFIG_MAP = Kind("", "v1", "ConfigMap")
NAMESPACE = Kind("", "v1", "Namespace")
NOWHERE = Kind("nowhere.example.com", "v1", "Thing")


def config_map(namespace: str, name: str = "x", **data: str) -> Object:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": namespace}, "data": data}


def new_box(box: Kind, namespace: str, **spec: object) -> Object:
    metadata = {"name": "b", "namespace": namespace}
    return {"apiVersion": box.api_version, "kind": "Box", "metadata": metadata, "spec": spec}


@pytest.fixture
def nobody(client: Client, namespace: str) -> Iterator[Client]:
    """A client of a user without any right."""
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "nobody", "namespace": namespace}}
    client.create(account)
    path = f"/api/v1/namespaces/{namespace}/serviceaccounts/nobody/token"
    token = client.request("POST", path, body={"spec": {}})["status"]["token"]
    with Client.remote(client.access.server, token, client.access.ca_pem) as nobody:
        yield nobody


def test_get_of_a_missing_object_raises_the_servers_message(client: Client, namespace: str) -> None:
    with pytest.raises(errors.NotFound) as caught:
        client.get(CONFIG_MAP, "x", namespace)
    assert str(caught.value) == 'configmaps "x" not found'
    assert (caught.value.status, caught.value.reason) == (404, "NotFound")


def test_find_of_a_missing_object_is_none(client: Client, namespace: str) -> None:
    assert client.find(CONFIG_MAP, "x", namespace) is None
    assert client.find(NOWHERE, "x", namespace) is None


def test_create_then_get_returns_the_same(client: Client, namespace: str) -> None:
    created = client.create(config_map(namespace, a="ü"))
    assert client.get(CONFIG_MAP, "x", namespace) == created
    assert created["data"] == {"a": "ü"}


def test_create_twice_already_exists(client: Client, namespace: str) -> None:
    client.create(config_map(namespace))
    with pytest.raises(errors.AlreadyExists, match=r'^configmaps "x" already exists$'):
        client.create(config_map(namespace))


def test_create_with_generate_name_returns_the_name(client: Client, namespace: str) -> None:
    created = client.create({**config_map(namespace), "metadata": {"generateName": "x-", "namespace": namespace}})
    assert created["metadata"]["name"].startswith("x-")


def test_create_without_namespace_is_refused(client: Client) -> None:
    with pytest.raises(errors.BadRequest, match=r"^an empty namespace may not be set during creation$"):
        client.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}})


def test_create_in_a_missing_namespace_names_it(client: Client) -> None:
    with pytest.raises(errors.NotFound, match=r'^namespaces "missing" not found$'):
        client.create(config_map("missing"))


def test_create_of_an_unknown_kind_is_not_served(client: Client, namespace: str) -> None:
    with pytest.raises(
        errors.KindNotServed, match=r'^no matches for kind "Thing" in version "nowhere.example.com/v1"$'
    ):
        client.create({**config_map(namespace), "apiVersion": NOWHERE.api_version, "kind": "Thing"})


def test_dry_run_checks_but_changes_nothing(client: Client, namespace: str) -> None:
    client.create(config_map(namespace), dry_run=True)
    assert client.find(CONFIG_MAP, "x", namespace) is None
    old = client.create(config_map(namespace))
    changed = client.update({**old, "data": {"a": "1"}}, dry_run=True)
    client.patch_merge(CONFIG_MAP, "x", {"data": {"a": "2"}}, namespace, dry_run=True)
    client.delete(CONFIG_MAP, "x", namespace, dry_run=True)
    assert changed["data"] == {"a": "1"}
    assert client.get(CONFIG_MAP, "x", namespace) == old


def test_dry_run_of_an_invalid_object_names_the_fields(client: Client, namespace: str, box: Kind) -> None:
    with pytest.raises(errors.Invalid) as caught:
        client.create(new_box(box, namespace, size=0, color="green"), dry_run=True)
    assert {cause.field for cause in caught.value.causes} == {"spec.size", "spec.color"}
    assert str(caught.value).startswith(f'Box.{box.group} "b" is invalid: [')
    assert caught.value.status == 422


def test_create_with_an_undecodable_field_is_a_bad_request(client: Client, namespace: str) -> None:
    with pytest.raises(errors.BadRequest, match="cannot be handled as a ConfigMap"):
        client.create({**config_map(namespace), "data": "text"})


def test_create_of_too_large_an_object_is_refused(client: Client, namespace: str) -> None:
    with pytest.raises((errors.TooLarge, errors.Invalid)):
        client.create(config_map(namespace, a="x" * (4 << 20)))


def test_update_of_a_changed_object_conflicts(client: Client, namespace: str) -> None:
    old = client.create(config_map(namespace))
    client.update({**old, "data": {"a": "1"}})
    with pytest.raises(errors.Conflict):
        client.update({**old, "data": {"a": "2"}})
    assert client.get(CONFIG_MAP, "x", namespace)["data"] == {"a": "1"}


def test_update_without_resource_version_is_an_error(client: Client, namespace: str) -> None:
    with pytest.raises(ValueError, match="no metadata.resourceVersion"):
        client.update(config_map(namespace))


def test_update_status_changes_only_the_status(client: Client, namespace: str, box: Kind) -> None:
    created = client.create(new_box(box, namespace, size=2))
    client.update_status({**created, "spec": {"size": 7}, "status": {"full": True}})
    read = client.get(box, "b", namespace)
    assert (read["spec"], read["status"]) == ({"size": 2}, {"full": True})


def test_update_status_of_a_changed_object_conflicts(client: Client, namespace: str, box: Kind) -> None:
    created = client.create(new_box(box, namespace, size=2))
    client.patch_merge(box, "b", {"spec": {"size": 3}}, namespace)
    with pytest.raises(errors.Conflict):
        client.update_status({**created, "status": {"full": True}})


def test_update_status_of_a_kind_without_status_is_not_found(client: Client, namespace: str) -> None:
    created = client.create(config_map(namespace))
    with pytest.raises(errors.NotFound, match="could not find the requested resource"):
        client.update_status(created)


def test_patch_json_with_a_failing_test_is_invalid(client: Client, namespace: str) -> None:
    client.create(config_map(namespace, a="1"))
    client.patch_json(CONFIG_MAP, "x", [{"op": "replace", "path": "/data/a", "value": "2"}], namespace)
    with pytest.raises(errors.Invalid):
        client.patch_json(CONFIG_MAP, "x", [{"op": "test", "path": "/data/a", "value": "1"}], namespace)
    assert client.get(CONFIG_MAP, "x", namespace)["data"] == {"a": "2"}


def test_patch_of_a_subresource_reaches_it(client: Client, namespace: str, box: Kind) -> None:
    client.create(new_box(box, namespace, size=2))
    client.patch_merge(box, "b", {"status": {"full": True}}, namespace, subresource="status")
    assert client.get(box, "b", namespace)["status"] == {"full": True}


def test_integers_survive(client: Client, namespace: str, box: Kind) -> None:
    created = client.create(new_box(box, namespace, size=2**53 + 1))
    assert created["spec"]["size"] == 2**53 + 1


def test_delete_of_another_uid_conflicts(client: Client, namespace: str) -> None:
    created = client.create(config_map(namespace))
    with pytest.raises(errors.Conflict):
        client.delete(CONFIG_MAP, "x", namespace, uid="00000000-0000-0000-0000-000000000000")
    client.delete(CONFIG_MAP, "x", namespace, uid=created["metadata"]["uid"])
    assert client.find(CONFIG_MAP, "x", namespace) is None


def test_delete_of_another_resource_version_conflicts(client: Client, namespace: str) -> None:
    old = client.create(config_map(namespace))
    client.patch_merge(CONFIG_MAP, "x", {"data": {"a": "1"}}, namespace)
    with pytest.raises(errors.Conflict):
        client.delete(CONFIG_MAP, "x", namespace, resource_version=old["metadata"]["resourceVersion"])


def test_delete_of_a_missing_object_is_not_found(client: Client, namespace: str) -> None:
    with pytest.raises(errors.NotFound):
        client.delete(CONFIG_MAP, "x", namespace)


def test_delete_in_the_foreground_leaves_the_object_until_its_dependants_are_gone(
    client: Client, namespace: str
) -> None:
    owner = client.create(config_map(namespace))
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "x", "uid": owner["metadata"]["uid"]}
    dependant = config_map(namespace, "dependant")
    dependant["metadata"] |= {
        "ownerReferences": [{**reference, "blockOwnerDeletion": True}],
        "finalizers": ["example.com/held"],
    }
    client.create(dependant)
    client.delete(CONFIG_MAP, "x", namespace, propagation="Foreground")
    assert client.get(CONFIG_MAP, "x", namespace)["metadata"]["finalizers"] == ["foregroundDeletion"]
    client.patch_merge(CONFIG_MAP, "dependant", {"metadata": {"finalizers": None}}, namespace)


@pytest.mark.parametrize("name", ["", None])
def test_an_empty_name_never_reaches_the_collection(client: Client, namespace: str, name: str) -> None:
    with pytest.raises(errors.BadRequest, match="resource name may not be empty"):
        client.delete(CONFIG_MAP, name, namespace)


@pytest.mark.parametrize("name", [".", ".."])
def test_a_name_that_is_a_way_never_reaches_another_path(client: Client, namespace: str, name: str) -> None:
    created = client.create(config_map(namespace))
    with pytest.raises(errors.BadRequest, match="invalid resource name"):
        client.delete(CONFIG_MAP, name, namespace)
    with pytest.raises(errors.BadRequest, match="invalid resource name"):
        client.list(CONFIG_MAP, name)
    assert client.get(CONFIG_MAP, "x", namespace) == created


def test_names_with_special_characters_are_one_path_element(client: Client) -> None:
    role = client.get(Kind("rbac.authorization.k8s.io", "v1", "ClusterRole"), "system:node")
    assert role["metadata"]["name"] == "system:node"
    with pytest.raises(errors.ApiError):
        client.get(NAMESPACE, "../nodes")


def test_a_forbidden_call_says_who_may_not_do_what(nobody: Client, namespace: str) -> None:
    with pytest.raises(errors.Forbidden) as caught:
        nobody.get(CONFIG_MAP, "x", namespace)
    user = f"system:serviceaccount:{namespace}:nobody"
    assert f'configmaps "x" is forbidden: User "{user}" cannot get resource' in str(caught.value)


def test_version_tells_the_servers_version(client: Client) -> None:
    assert client.version()["gitVersion"].startswith("v1.")


def test_read_log_of_a_pod_that_never_ran_is_empty(client: Client, namespace: str) -> None:
    pod = {"containers": [{"name": "a", "image": "nowhere.example.com/a"}]}
    client.create({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": namespace}, "spec": pod})
    assert client.read_log("p", namespace, container="a", tail_lines=5) == ""
