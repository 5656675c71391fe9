"""The API server under these tests is real: kube-apiserver on etcd, with the lean controllers of the sandbox.

Namespaces, owner references and Jobs behave (Jobs create Pods; no kubelet runs them). One control plane serves all
tests of one pytest process (with xdist: one per worker, so that cluster-scoped objects of two workers never meet);
tests are kept apart by `namespace`, a fresh one for each test that asks for it.
"""

from __future__ import annotations

import json
import os
import subprocess
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from agent.kube import Client, Kind
from crds import generate
from crds.base import Object
from sandbox.controlplane import ControlPlane

Kubectl = Callable[..., str]


@pytest.fixture(scope="session")
def control_plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """The running control plane of this pytest process; ask for it only to get at its certificates, users or files."""
    with ControlPlane(tmp_path_factory.mktemp("control-plane")) as plane:
        yield plane


@pytest.fixture(scope="session")
def kubeconfig(control_plane: ControlPlane) -> Path:
    """The administrator's kubeconfig."""
    return control_plane.admin_kubeconfig


@pytest.fixture(scope="session")
def client(kubeconfig: Path) -> Iterator[Client]:
    """The project's API client, as administrator."""
    with Client.connect(kubeconfig) as client:
        yield client


@pytest.fixture(scope="session")
def kubectl(control_plane: ControlPlane, kubeconfig: Path) -> Kubectl:
    """`kubectl(*argv, stdin=object or text)` as administrator: its output; fails with what kubectl said."""
    program = control_plane.binaries.kubectl
    assert program, "kubectl is missing: run `make setup`"

    def run(*argv: str, stdin: Any = None) -> str:
        text = stdin if isinstance(stdin, str | None) else json.dumps(stdin)
        done = subprocess.run(
            [program, *argv],
            input=text,
            env={**os.environ, "KUBECONFIG": str(kubeconfig)},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, f"kubectl {' '.join(argv)}: {done.stderr.strip()}"
        return done.stdout

    return run


@pytest.fixture
def namespace(client: Client) -> Iterator[str]:
    """A fresh namespace, deleted (without waiting) afterwards."""
    name = f"test-{uuid.uuid4().hex[:12]}"
    client.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    yield name
    client.delete(Kind("", "v1", "Namespace"), name)


@pytest.fixture(scope="session")
def server_knows_cel(kubectl: Kubectl) -> bool:
    version = json.loads(kubectl("get", "--raw", "/version"))
    return (int(version["major"]), int(version["minor"].rstrip("+"))) >= (1, 25)


@pytest.fixture(scope="session")
def crd_folder(server_knows_cel: bool) -> Path:
    return generate.FOLDER if server_knows_cel else generate.FOLDER / "legacy"


@pytest.fixture(scope="session")
def applied_crds(kubectl: Kubectl, crd_folder: Path) -> str:
    """What kubectl said about the CRDs; afterwards they are established."""
    output = kubectl("apply", "-f", str(crd_folder))
    kubectl("wait", "--for=condition=Established", "--timeout=30s", "-f", str(crd_folder))
    return output


@pytest.fixture
def ibu(kubectl: Kubectl, applied_crds: str) -> Iterator[Object]:
    """A fresh, idle `upgrade` without a status."""
    raw = {
        "apiVersion": "lca.openshift.io/v1",
        "kind": "ImageBasedUpgrade",
        "metadata": {"name": "upgrade"},
        "spec": {"stage": "Idle", "seedImageRef": {}},
    }
    yield json.loads(kubectl("create", "-o", "json", "-f", "-", stdin=raw))
    kubectl("delete", "ibu", "upgrade")
