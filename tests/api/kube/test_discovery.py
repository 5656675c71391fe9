"""Kinds that come, go and change while the client runs."""

from __future__ import annotations

import threading

import pytest

from agent.kube import Client, Kind, errors
from tests.api.kube.conftest import CRD, box_crd, wait_until


def test_resource_tells_scope_verbs_and_subresources(client: Client) -> None:
    deployment = client.resource(Kind("apps", "v1", "Deployment"))
    assert (deployment.plural, deployment.namespaced) == ("deployments", True)
    assert {"status", "scale"} <= deployment.subresources
    assert "watch" in deployment.verbs
    assert not client.resource(Kind("", "v1", "Node")).namespaced


def test_a_new_crd_is_noticed_by_a_client_that_asked_before(client: Client, namespace: str) -> None:
    kind = Kind(f"{namespace}.example.com", "v1", "Box")
    assert not client.serves(kind)
    client.create(box_crd(kind))
    wait_until(lambda: client.serves(kind))
    assert client.list(kind) == []
    client.delete(CRD, f"boxes.{kind.group}")


def test_a_deleted_crd_is_noticed_at_the_next_call(client: Client, box: Kind, namespace: str) -> None:
    assert client.find(box, "b", namespace) is None
    client.delete(CRD, f"boxes.{box.group}")

    def get() -> bool:
        with pytest.raises(errors.NotFound) as caught:
            client.get(box, "b", namespace)
        return isinstance(caught.value, errors.KindNotServed)

    wait_until(get)
    assert not client.serves(box)


def test_a_crd_installed_again_with_another_scope_is_learnt_again(client: Client, box: Kind) -> None:
    client.delete(CRD, f"boxes.{box.group}")
    wait_until(lambda: client.find(CRD, f"boxes.{box.group}") is None)
    client.create(box_crd(box, scope="Cluster"))

    def create() -> bool:
        try:
            client.create({"apiVersion": box.api_version, "kind": "Box", "metadata": {"name": "b"}})
        except (errors.NotFound, errors.BadRequest, errors.MethodNotAllowed):
            return False
        return True

    wait_until(lambda: client.find(box, "b", "default") is not None or create())
    assert client.get(box, "b")["metadata"]["name"] == "b"


def test_a_watch_of_a_deleted_crd_ends_with_kind_not_served(client: Client, box: Kind) -> None:
    watch = client.watch(box, timeout_seconds=60)
    deleter = threading.Timer(0.2, lambda: client.delete(CRD, f"boxes.{box.group}"))
    deleter.start()
    with watch, pytest.raises(errors.KindNotServed):
        list(watch)
    deleter.join()


def test_a_group_whose_server_is_down_is_told_from_an_unknown_one(client: Client, namespace: str) -> None:
    group = f"{namespace}.example.com"
    service = {"name": "missing", "namespace": namespace}
    spec = {"group": group, "version": "v1", "groupPriorityMinimum": 1, "versionPriority": 1, "service": service}
    api_service = Kind("apiregistration.k8s.io", "v1", "APIService")
    metadata = {"name": f"v1.{group}"}
    client.create(
        {
            "apiVersion": api_service.api_version,
            "kind": "APIService",
            "metadata": metadata,
            "spec": {**spec, "insecureSkipTLSVerify": True},
        }
    )

    def fails() -> bool:
        try:
            return client.serves(Kind(group, "v1", "Box"))
        except errors.DiscoveryFailed as error:
            assert str(error).startswith(f"unable to retrieve the complete list of server APIs: {group}/v1: ")  # noqa: PT017
            return True

    wait_until(fails)
    client.delete(api_service, f"v1.{group}")
