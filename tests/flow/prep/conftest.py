"""Real here: everything that a sandbox has - etcd and the API server, the operator in its Pod, the Jobs, ostree and its
stateroots, podman, skopeo, the registry. Velero, LVM Storage and the cluster's operators are the sandbox's stand-ins.
The tests use the API as a user does, and look at the node through `lca sandbox exec`.

One node and one seed image serve the whole folder. Every test finds the upgrade Idle and leaves it so, with nothing of
it on the node: that is checked after each one, and that no secret has come into the resource, its events or the logs.
`LCA_TEST_SANDBOX` may name the folder of a running sandbox: the tests then take seconds to begin.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agent.kube import Client, Kind, Object
from sandbox.node.identity import Identity
from sandbox.node.sandbox import Sandbox
from sandbox.node.seed import make_seed
from tests.flow.prep.upgrade import (
    CLEANUP_DONE,
    CONFIG_MAP,
    JOB,
    NAMESPACE,
    PRECACHE_JOB,
    STATEROOT_JOB,
    UPGRADE,
    VERSION,
    Upgrade,
    is_cleanup_failed,
    is_idle,
    list_conditions,
)

SECRET_TEXT = "s3cr3t-c0ntent"  # what tests put where the agent must not repeat it
LEFTOVERS = ("/ostree/deploy/rhcos_*", "/var/lib/lca/workspace", "/var/lib/lca/ibu.json")
CLUSTER_OPERATOR = Kind("config.openshift.io", "v1", "ClusterOperator")
SECRET = Kind("", "v1", "Secret")
EVENT = Kind("", "v1", "Event")


@pytest.fixture(scope="session")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A running node with its cluster."""
    if existing := os.environ.get("LCA_TEST_SANDBOX"):
        yield Sandbox(Path(existing))
        return
    sandbox = Sandbox(tmp_path_factory.mktemp("prep"))
    sandbox.up(Identity.make("4.15.0"), owner_pid=os.getpid())
    yield sandbox
    sandbox.down()
    sandbox.purge()


@pytest.fixture(scope="session")
def make_image(node: Sandbox) -> Callable[[str | None], str]:
    """Make a seed image, also a broken one; return its pull spec."""
    return lambda broken=None: make_seed(node, VERSION, broken)


@pytest.fixture(scope="session")
def user(node: Sandbox, make_image: Callable[..., str]) -> Iterator[Upgrade]:
    """For what outlives one test; tests take `upgrade`."""
    with Client.connect(node.layout.kubeconfig) as client:
        user = Upgrade(client, node, make_image())
        go_idle(user)
        yield user


@pytest.fixture
def upgrade(user: Upgrade) -> Iterator[Upgrade]:
    """The upgrade, Idle; afterwards it is Idle again, and nothing is left of what the test did."""
    assert is_idle(user.wait(is_idle))
    yield user
    go_idle(user)
    assert_nothing_left(user)
    assert_no_secret_told(user)


def go_idle(user: Upgrade) -> None:
    """Take every fault and ConfigMap back and abort, however the test ended."""
    was_unhealthy = "unhealthy-operator" in user.sandbox.faults.all()
    user.sandbox.faults.clear()
    if was_unhealthy:
        user.wait_object(CLUSTER_OPERATOR, "authentication", None, is_available)
    last = user.abort(lambda ibu: is_idle(ibu) or is_cleanup_failed(ibu))[-1]
    if not is_idle(last):
        user.annotate(is_idle, **{CLEANUP_DONE: ""})
    for config_map in user.client.list(CONFIG_MAP, NAMESPACE, labels="flow=prep"):
        user.client.delete(CONFIG_MAP, config_map["metadata"]["name"], NAMESPACE)
    user.client.patch_merge(UPGRADE, "upgrade", {"metadata": {"annotations": None}})
    user.client.patch_merge(UPGRADE, "upgrade", {"spec": {"oadpContent": None, "extraManifests": None}})


def is_available(operator: Object) -> bool:
    return any(c["type"] == "Available" and c["status"] == "True" for c in operator["status"]["conditions"])


def assert_nothing_left(user: Upgrade) -> None:
    """An upgrade that was given up leaves the node and the cluster as they were."""
    ibu = user.read()
    assert list_conditions(ibu) == [("Idle", "True", "Idle", "Idle")]
    assert ibu["status"].get("validNextStages") == ["Prep"]
    assert "history" not in ibu["status"]
    assert not ibu["metadata"].get("annotations")
    assert user.list_files(*LEFTOVERS) == []
    deployments = [line for line in user.run("ostree", "admin", "status").stdout.splitlines() if "rhcos" in line[:10]]
    assert len(deployments) == 1, deployments
    for name in (STATEROOT_JOB, PRECACHE_JOB):
        user.wait_gone(JOB, name, NAMESPACE)
    assert user.client.find(CONFIG_MAP, PRECACHE_JOB, NAMESPACE) is None


def assert_no_secret_told(user: Upgrade) -> None:
    """Neither the resource nor events nor the logs of operator and Jobs repeat a secret."""
    pull_secret = user.client.get(SECRET, "pull-secret", "openshift-config")["data"][".dockerconfigjson"]
    told = str(user.read()) + str(user.client.list(EVENT))
    told += user.run("bash", "-c", f"cat /var/log/pods/{NAMESPACE}_*/*/*.log").stdout
    for secret in (SECRET_TEXT, "eyJhbGciOi", pull_secret, "PRIVATE KEY"):
        assert secret not in told
