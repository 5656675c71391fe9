"""The CRDs are applied to the real API server as a user does it: plain `kubectl apply -f`, from the folder documented
for the server's version. Each test has its own ImageBasedUpgrade `upgrade`; nothing reconciles it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from crds import generate
from crds.base import Object

Kubectl = Callable[..., str]
PutStatus = Callable[[Object], Object]


@pytest.fixture(scope="session")
def server_knows_cel(kubectl: Kubectl) -> bool:
    version = json.loads(kubectl("get", "--raw", "/version"))
    return (int(version["major"]), int(version["minor"].rstrip("+"))) >= (1, 25)


@pytest.fixture(scope="session")
def crd_folder(server_knows_cel: bool) -> Path:
    return generate.FOLDER if server_knows_cel else generate.FOLDER / "legacy"


@pytest.fixture(scope="session")
def applied(kubectl: Kubectl, crd_folder: Path) -> str:
    """What kubectl said about the CRDs; afterwards they are established."""
    output = kubectl("apply", "-f", str(crd_folder))
    kubectl("wait", "--for=condition=Established", "--timeout=30s", "-f", str(crd_folder))
    return output


@pytest.fixture
def ibu(kubectl: Kubectl, applied: str) -> Iterator[Object]:
    """A fresh, idle `upgrade` without a status."""
    raw = {
        "apiVersion": "lca.openshift.io/v1",
        "kind": "ImageBasedUpgrade",
        "metadata": {"name": "upgrade"},
        "spec": {"stage": "Idle", "seedImageRef": {}},
    }
    yield json.loads(kubectl("create", "-o", "json", "-f", "-", stdin=raw))
    kubectl("delete", "ibu", "upgrade")


@pytest.fixture
def put_status(kubectl: Kubectl) -> PutStatus:
    """PUT on the status subresource; returns the object as stored."""
    path = "/apis/lca.openshift.io/v1/imagebasedupgrades/upgrade/status"

    def put(ibu: Object) -> Object:
        stored: Object = json.loads(kubectl("replace", "--raw", path, "-f", "-", stdin=ibu))
        return stored

    return put
