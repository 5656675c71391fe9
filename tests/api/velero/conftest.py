"""The API server of these tests is their own: it serves Velero's and OADP's kinds, and nobody works on them.

Phases are set by the tests, as Velero would; the object store is a small server of the test.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from agent.kube import Client, Kind, Object, RetryPolicy, errors
from agent.velero.names import DATA_PROTECTION, OADP_NAMESPACE, SECRET
from sandbox.controlplane import ControlPlane
from sandbox.velero import crd_documents

CRD = Kind("apiextensions.k8s.io", "v1", "CustomResourceDefinition")


@pytest.fixture(scope="session")
def control_plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    with ControlPlane(tmp_path_factory.mktemp("control-plane-velero")) as plane:
        yield plane


@pytest.fixture(scope="session")
def client(control_plane: ControlPlane) -> Iterator[Client]:
    with Client.connect(control_plane.admin_kubeconfig) as client:
        for document in crd_documents():
            client.create(document)
            await_established(client, document["metadata"]["name"])
        client.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": OADP_NAMESPACE}})
        yield client


def await_established(client: Client, name: str) -> None:
    with client.watch(CRD, name=name, timeout_seconds=60) as watch:
        for event in watch:
            conditions = (event.object.get("status") or {}).get("conditions") or ()
            if any(c["type"] == "Established" and c["status"] == "True" for c in conditions):
                return
    raise AssertionError(f"{name} is not served")


@pytest.fixture
def name() -> str:
    """A name nobody has had."""
    return f"t-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def put(client: Client) -> Iterator[Callable[..., Object]]:
    """Create an object of OADP's namespace; it is deleted afterwards."""
    created: list[Object] = []

    def put(kind: Kind, name: str, **content: Any) -> Object:
        metadata = {"name": name, "namespace": OADP_NAMESPACE, **content.pop("metadata", {})}
        obj = {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": metadata, **content}
        created.append(client.create(obj))
        return created[-1]

    yield put
    for obj in created:
        try:
            client.delete(Kind.of(obj), obj["metadata"]["name"], obj["metadata"].get("namespace"))
        except errors.NotFound:
            continue


@pytest.fixture
def put_application(put: Callable[..., Object]) -> Callable[..., Object]:
    """Create a DataProtectionApplication with these locations."""

    def put_application(name: str, *locations: Object, **spec: Any) -> Object:
        spec = {"configuration": {"velero": {"defaultPlugins": ["openshift"]}}, **spec}
        return put(DATA_PROTECTION, name, spec={**spec, "backupLocations": list(locations)})

    return put_application


@pytest.fixture
def put_secret(put: Callable[..., Object]) -> Callable[..., Object]:
    return lambda name: put(SECRET, name, data={"cloud": "c2VjcmV0"})


@pytest.fixture
def nowhere() -> Client:
    """A client whose API server does not answer."""
    return Client.remote("https://127.0.0.1:1", "token", None, policy=RetryPolicy(retry_seconds=0.0))
