"""Watches through kopf on the real API server: what is delivered, and that nothing of kopf ever shows up."""

from __future__ import annotations

import contextlib
import queue
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agent.kube import Client, Event, Kind, errors
from agent.runtime.watch import Watch
from agent.runtime.watches import Watches
from sandbox.controlplane import ControlPlane

CONFIG_MAP = Kind("", "v1", "ConfigMap")
SECRET = Kind("", "v1", "Secret")
CRD = Kind("apiextensions.k8s.io", "v1", "CustomResourceDefinition")


class Received:
    """Collects events; `next(name)` waits for one about that object."""

    def __init__(self) -> None:
        self._events: queue.Queue[Event] = queue.Queue()

    def __call__(self, event: Event) -> None:
        self._events.put(event)

    def next(self, name: str) -> Event:
        while (event := self._events.get(timeout=30)).object["metadata"]["name"] != name:
            pass
        return event


@contextlib.contextmanager
def watching(client: Client, *watches: Watch) -> Iterator[None]:
    running = Watches(client, watches)
    running.start()
    try:
        yield
    finally:
        assert running.stop(20)


def make_config_map(namespace: str, name: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": namespace}, "data": {}}


def make_crd(kind: str, group: str) -> dict[str, Any]:
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    version = {"name": "v1", "served": True, "storage": True, "schema": schema, "subresources": {"status": {}}}
    plural = f"{kind.lower()}s"
    names = {"kind": kind, "plural": plural, "singular": kind.lower()}
    spec = {"group": group, "scope": "Cluster", "names": names, "versions": [version]}
    name = f"{plural}.{group}"
    return {"apiVersion": CRD.api_version, "kind": CRD.kind, "metadata": {"name": name}, "spec": spec}


@pytest.fixture
def widget(client: Client) -> Iterator[Kind]:
    """A kind of its own for the test, with a status subresource; its CRD is not installed."""
    kind = Kind(f"test-{uuid.uuid4().hex[:8]}.example.com", "v1", "Widget")
    yield kind
    with contextlib.suppress(errors.NotFound):
        client.delete(CRD, f"widgets.{kind.group}")


def test_watch_object_lifecycle_is_delivered_in_order(client: Client, namespace: str) -> None:
    received = Received()
    with watching(client, Watch(CONFIG_MAP, received, namespace=namespace)):
        client.create(make_config_map(namespace, "a"))
        assert received.next("a").type == "ADDED"
        client.patch_merge(CONFIG_MAP, "a", {"data": {"k": "v"}}, namespace)
        assert received.next("a") == Event("MODIFIED", client.get(CONFIG_MAP, "a", namespace))
        client.delete(CONFIG_MAP, "a", namespace)
        assert received.next("a").type == "DELETED"


def test_watch_existing_object_is_delivered_at_the_start(client: Client, namespace: str) -> None:
    received = Received()
    client.create(make_config_map(namespace, "before"))
    with watching(client, Watch(CONFIG_MAP, received, namespace=namespace)):
        assert received.next("before").type == "ADDED"


def test_watch_of_one_namespace_or_name_delivers_no_others(client: Client, namespace: str) -> None:
    received = Received()
    client.create(make_config_map("default", f"other-{namespace}"))
    with watching(client, Watch(CONFIG_MAP, received, namespace=namespace, name="mine")):
        client.create(make_config_map(namespace, "not-mine"))
        client.create(make_config_map(namespace, "mine"))
        seen = received._events.get(timeout=30)
        assert seen.object["metadata"]["name"] == "mine"
    client.delete(CONFIG_MAP, f"other-{namespace}", "default")


def test_watch_kind_installed_later_is_watched_while_others_go_on(client: Client, namespace: str, widget: Kind) -> None:
    widgets, maps = Received(), Received()
    with watching(client, Watch(widget, widgets), Watch(CONFIG_MAP, maps, namespace=namespace)):
        client.create(make_config_map(namespace, "meanwhile"))
        assert maps.next("meanwhile").type == "ADDED"
        install(client, widget)
        client.create({"apiVersion": widget.api_version, "kind": "Widget", "metadata": {"name": "w"}})
        assert widgets.next("w").type == "ADDED"


def test_watch_kind_removed_and_installed_again_goes_on(client: Client, namespace: str, widget: Kind) -> None:
    widgets, maps = Received(), Received()
    install(client, widget)
    with watching(client, Watch(widget, widgets), Watch(CONFIG_MAP, maps, namespace=namespace)):
        client.create({"apiVersion": widget.api_version, "kind": "Widget", "metadata": {"name": "w"}})
        assert widgets.next("w").type == "ADDED"
        client.delete(CRD, f"widgets.{widget.group}")
        assert widgets.next("w").type == "DELETED"
        install(client, widget)
        client.create({"apiVersion": widget.api_version, "kind": "Widget", "metadata": {"name": "again"}})
        assert widgets.next("again").type == "ADDED"


def test_watch_opening_is_told_when_no_event_can_be_missed_any_more(client: Client, namespace: str) -> None:
    received, opened = Received(), threading.Event()
    with watching(client, Watch(CONFIG_MAP, received, on_open=opened.set, namespace=namespace)):
        assert opened.wait(30)
        client.create(make_config_map(namespace, "a"))
        client.delete(CONFIG_MAP, "a", namespace)
        assert [received.next("a").type, received.next("a").type] == ["ADDED", "DELETED"]


def test_watched_object_carries_no_trace_of_the_watcher(client: Client, widget: Kind) -> None:
    """Created, changed, seen by a restarted watcher, deleted: only our own requests ever touched it."""
    received = Received()
    install(client, widget)
    body = {"apiVersion": widget.api_version, "kind": "Widget", "metadata": {"name": "w"}, "spec": {"size": 1}}
    with watching(client, Watch(widget, received)):
        created = client.create(body)
        assert received.next("w").object == created
        changed = client.patch_merge(widget, "w", {"spec": {"size": 2}})
        assert received.next("w").object == changed
    with watching(client, Watch(widget, received)):
        assert received.next("w").object == changed
        assert client.get(widget, "w") == changed  # the same resourceVersion: nobody else has written
        client.delete(widget, "w")
        deleted = received.next("w")
    assert deleted.type == "DELETED"
    assert "finalizers" not in deleted.object["metadata"]
    assert "annotations" not in deleted.object["metadata"]
    assert "status" not in deleted.object
    assert not [e for e in client.list(Kind("", "v1", "Event")) if "kopf" in str(e).lower()]


def test_watched_object_with_the_finalizer_of_another_kopf_operator_keeps_it(client: Client, widget: Kind) -> None:
    received, finalizer = Received(), "kopf.zalando.org/KopfFinalizerMarker"
    install(client, widget)
    metadata = {"name": "theirs", "finalizers": [finalizer], "annotations": {"kopf.zalando.org/x": "y"}}
    with watching(client, Watch(widget, received)):
        theirs = client.create({"apiVersion": widget.api_version, "kind": "Widget", "metadata": metadata})
        received.next("theirs")
        client.create({"apiVersion": widget.api_version, "kind": "Widget", "metadata": {"name": "next"}})
        received.next("next")
        assert client.get(widget, "theirs") == theirs
    client.patch_merge(widget, "theirs", {"metadata": {"finalizers": None}})


def install(client: Client, kind: Kind) -> None:
    """Install the CRD and return when the kind is served."""
    while client.find(CRD, f"widgets.{kind.group}"):
        pass
    client.create(make_crd("Widget", kind.group))
    for event in client.watch(CRD, name=f"widgets.{kind.group}", timeout_seconds=30):
        conditions = event.object.get("status", {}).get("conditions") or []
        if any((condition["type"], condition["status"]) == ("Established", "True") for condition in conditions):
            break
    while not client.serves(kind):
        pass


def test_watch_forbidden_kind_does_not_stop_others_and_is_watched_once_allowed(
    client: Client, control_plane: ControlPlane, tmp_path: Path, namespace: str
) -> None:
    user = f"reader-{namespace}"
    allow(client, user, "configmaps")
    control_plane.write_kubeconfig(tmp_path / "kubeconfig", user)
    maps, secrets = Received(), Received()
    with (
        Client.connect(tmp_path / "kubeconfig") as reader,
        watching(reader, Watch(CONFIG_MAP, maps, namespace=namespace), Watch(SECRET, secrets)),
    ):
        client.create(make_config_map(namespace, "before"))
        assert maps.next("before").type == "ADDED"
        allow(client, user, "secrets")
        client.create(make_config_map(namespace, "a") | {"kind": "Secret", "data": {}})
        assert secrets.next("a").type == "ADDED"
        client.create(make_config_map(namespace, "after"))
        assert maps.next("after").type == "ADDED"


def allow(client: Client, user: str, plural: str) -> None:
    """Let a user list and watch a core kind."""
    metadata = {"name": f"{user}-{plural}"}
    rules = [{"apiGroups": [""], "resources": [plural], "verbs": ["list", "watch"]}]
    group = "rbac.authorization.k8s.io"
    client.create({"apiVersion": f"{group}/v1", "kind": "ClusterRole", "metadata": metadata, "rules": rules})
    client.create(
        {
            "apiVersion": f"{group}/v1",
            "kind": "ClusterRoleBinding",
            "metadata": metadata,
            "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": metadata["name"]},
            "subjects": [{"apiGroup": group, "kind": "User", "name": user}],
        }
    )
