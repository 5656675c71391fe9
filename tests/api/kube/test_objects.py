"""Reading and writing objects."""

from __future__ import annotations

import threading

import pytest

from agent.kube import Client, Kind, Object, errors

CONFIG_MAP = Kind("", "v1", "ConfigMap")
NAMESPACE = Kind("", "v1", "Namespace")


def config_map(namespace: str, name: str = "x", **data: str) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": namespace},
        "data": data,
    }


def test_get_of_a_missing_object_raises_the_servers_message(client: Client, namespace: str) -> None:
    with pytest.raises(errors.NotFound) as caught:
        client.get(CONFIG_MAP, "x", namespace)
    assert str(caught.value) == 'configmaps "x" not found'
    assert (caught.value.status, caught.value.reason) == (404, "NotFound")


def test_find_of_a_missing_object_is_none(client: Client, namespace: str) -> None:
    assert client.find(CONFIG_MAP, "x", namespace) is None


def test_create_then_get_returns_the_same(client: Client, namespace: str) -> None:
    created = client.create(config_map(namespace, a="ü"))
    assert client.get(CONFIG_MAP, "x", namespace) == created
    assert created["data"] == {"a": "ü"}


def test_create_twice_already_exists(client: Client, namespace: str) -> None:
    client.create(config_map(namespace))
    with pytest.raises(errors.AlreadyExists, match=r'^configmaps "x" already exists$'):
        client.create(config_map(namespace))


def test_update_of_a_changed_object_conflicts(client: Client, namespace: str) -> None:
    old = client.create(config_map(namespace))
    client.update({**old, "data": {"a": "1"}})
    with pytest.raises(errors.Conflict):
        client.update({**old, "data": {"a": "2"}})
    assert client.get(CONFIG_MAP, "x", namespace)["data"] == {"a": "1"}


def test_watch_sees_changes_of_the_named_object_only(client: Client, namespace: str) -> None:
    client.create(config_map(namespace))
    client.create(config_map(namespace, "other"))
    with client.watch(CONFIG_MAP, namespace, name="x", timeout_seconds=30) as watch:
        assert next(watch).type == "ADDED"
        client.patch_merge(CONFIG_MAP, "x", {"data": {"a": "1"}}, namespace)
        event = next(watch)
        assert (event.type, event.object["data"]) == ("MODIFIED", {"a": "1"})
        client.delete(CONFIG_MAP, "x", namespace)
        assert next(watch).type == "DELETED"


def test_watch_stopped_by_another_thread_ends(client: Client, namespace: str) -> None:
    watch = client.watch(CONFIG_MAP, namespace, name="x", timeout_seconds=60)
    client.create(config_map(namespace))
    events = []

    def follow() -> None:
        for event in watch:
            events.append(event)
            seen.set()

    seen = threading.Event()
    thread = threading.Thread(target=follow)
    thread.start()
    assert seen.wait(10)
    watch.stop()
    thread.join(5)
    assert not thread.is_alive()
    assert [e.type for e in events] == ["ADDED"]
