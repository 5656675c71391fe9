"""The controller of SeedGenerator against a real API server, with a real registry that asks for a password.

The host is a folder: skopeo and du are real; podman, systemctl and systemd-run are recorded and answer what the test
says, so no builder runs here (the sandbox's tests have one). Health is a value of the test. The cluster is one of its
own: seed generation deletes kinds that other tests need.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.kube import Client, Kind
from crds import generate
from sandbox.cluster.content.kinds import crd_documents
from sandbox.controlplane import ControlPlane
from sandbox.controlplane.ports import choose_free_port
from sandbox.outside import Registry
from tests.api.seedgen.world import NAMESPACE, POOL, PULL_SECRET, Host, World

USER, PASSWORD = "pusher", "pa55-word"
CRD = Kind("apiextensions.k8s.io", "v1", "CustomResourceDefinition")


@pytest.fixture(scope="session")
def seed_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    with ControlPlane(tmp_path_factory.mktemp("seed-cluster")) as plane:
        yield plane


@pytest.fixture(scope="session")
def seed_client(seed_cluster: ControlPlane) -> Iterator[Client]:
    """Administrator of a cluster with OpenShift's kinds, a pool and the operator's Pod."""
    with Client.connect(seed_cluster.admin_kubeconfig) as client:
        kinds = [crd for crd in crd_documents() if crd["spec"]["group"] != "lca.openshift.io"]
        documents = [*kinds, *map(json.loads, _own_crds())]
        _kubectl(seed_cluster, "apply", documents)
        _kubectl(seed_cluster, "wait", documents, "--for=condition=Established", "--timeout=60s")
        for name in (NAMESPACE, "openshift-config", "openshift-adp", "openshift-monitoring"):
            client.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        pod = {"containers": [{"name": "manager", "image": "quay.io/lca:1"}]}
        metadata = {"name": "operator", "namespace": NAMESPACE}
        client.create({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": pod})
        pool = {"apiVersion": POOL.api_version, "kind": POOL.kind, "metadata": {"name": "master"}}
        pool |= {"spec": {"configuration": {"name": "rendered-master-now"}}}
        live = client.create(pool)
        client.update_status({**live, "status": {"machineCount": 1, "readyMachineCount": 1}})
        yield client


def _own_crds() -> list[str]:
    import yaml

    folder = generate.FOLDER / "legacy"
    return [json.dumps(yaml.safe_load(path.read_text())) for path in sorted(folder.glob("*.yaml"))]


def _kubectl(plane: ControlPlane, verb: str, documents: list[dict], *flags: str) -> None:
    assert plane.binaries.kubectl
    done = subprocess.run(
        [plane.binaries.kubectl, verb, "-f", "-", *flags],
        input=json.dumps({"apiVersion": "v1", "kind": "List", "items": documents}),
        env={**os.environ, "KUBECONFIG": str(plane.admin_kubeconfig)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="session")
def seed_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    folder = tmp_path_factory.mktemp("registry")
    registry = Registry(folder, choose_free_port(), log_file=folder / "log")
    registry.add_user(USER, PASSWORD)
    registry.start()
    yield registry
    registry.stop()


def make_auth(address: str, password: str = PASSWORD) -> str:
    auth = base64.b64encode(f"{USER}:{password}".encode()).decode()
    return json.dumps({"auths": {address: {"auth": auth}}})


@pytest.fixture
def world(seed_client: Client, seed_registry: Registry, tmp_path: Path) -> Iterator[World]:
    host = Host(tmp_path / "host", seed_registry.address)
    world = World(seed_client, host, seed_registry.address, make_auth(seed_registry.address))
    world.put_secret(
        "pull-secret", "openshift-config", {".dockerconfigjson": PULL_SECRET}, "kubernetes.io/dockerconfigjson"
    )
    yield world
    world.delete_all()
