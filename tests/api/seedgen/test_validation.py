"""What is rejected before anything is done, with the documented texts (seed-image-and-gitops.md A.6, I.6-I.9)."""

from __future__ import annotations

import pytest

from agent.kube import Kind, errors
from agent.runtime.worker import Request
from agent.seedgen.builder import OwnImageError
from agent.seedgen.kind import SECRET, UPGRADE
from agent.seedgen.pull_secret import SANITIZED
from hostops.diskspace import DiskSpace
from tests.api.seedgen.conftest import make_auth
from tests.api.seedgen.world import NAMESPACE, World

CSV = Kind("operators.coreos.com", "v1alpha1", "ClusterServiceVersion")
DPA = Kind("oadp.openshift.io", "v1alpha1", "DataProtectionApplication")
LVM = Kind("lvm.topolvm.io", "v1alpha1", "LVMCluster")
VOLUME = Kind("", "v1", "PersistentVolume")
NAMESPACES = Kind("", "v1", "Namespace")
CRD = Kind("apiextensions.k8s.io", "v1", "CustomResourceDefinition")
REFUSED = "Rejected: a test image could not be pushed to the repository of "


def make(kind, name, namespace=None, **more):
    metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
    return {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": metadata, **more}


def make_crd(plural, group, kind):
    names = {"kind": kind, "listKind": f"{kind}List", "plural": plural, "singular": kind.lower()}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {"type": "object"}}}
    spec = {"group": group, "scope": "Cluster", "names": names, "versions": [version]}
    return make(CRD, f"{plural}.{group}", spec=spec)


@pytest.fixture
def put(world):
    """Create objects for one test."""
    made = []

    def put(obj):
        made.append(world.put(obj))
        return made[-1]

    yield put
    for obj in reversed(made):
        if obj["metadata"].get("finalizers"):  # its controller does not run here
            name = obj["metadata"]["name"]
            world.client.patch_merge(Kind.of(obj), name, {"metadata": {"finalizers": None}})
        world.client.delete(Kind.of(obj), obj["metadata"]["name"], obj["metadata"].get("namespace"))


def ask(world: World, **spec) -> str:
    """Ask for an image; return why it was rejected."""
    world.ask(**spec)
    assert world.pass_once() is None
    completed, in_progress = world.conditions()
    message = in_progress.removeprefix("SeedGenInProgress=False/Failed/")
    assert completed == f"SeedGenCompleted=False/Failed/Seed generation failed: {message}"
    assert world.host.workspace() == []
    assert world.host.launches() == []
    return message


def test_fit_cluster_is_not_rejected(world):
    world.ask()
    assert world.pass_once() is not None
    assert world.conditions() == ["SeedGenInProgress=True/InProgress/Waiting for system to stabilize"]


def test_release_without_set_default(world):
    (world.host.folder / "run/bin/ostree").unlink()  # Debian's does not have it
    assert ask(world) == 'Rejected: Installed release does not support "ostree admin set-default" feature'


def test_container_storage_that_is_not_shared(world):
    world.host.answer("systemctl is-active", "exit 3")
    assert ask(world) == "Rejected: Cluster must be configured with shared container storage"


def test_container_storage_that_can_not_be_told(world):
    world.host.answer("systemctl cat", "echo '[Mount]'; exit 0")
    assert ask(world).startswith("Failure occurred during check for container storage in system validation: failed to")


def test_cluster_attached_to_a_hub(world, put):
    put(make_crd("klusterlets", "operator.open-cluster-management.io", "Klusterlet"))
    assert ask(world) == "Rejected: Cluster must be detached from hub prior to seed generation"


def test_addons_of_the_hub(world):
    for name in ("open-cluster-management-addon-b", "open-cluster-management-addon-a", "open-cluster-management-add"):
        world.client.create(make(NAMESPACES, name))
    message = ask(world)
    assert message == (
        "Rejected due to presence of ACM addon(s): open-cluster-management-addon-a, open-cluster-management-addon-b"
    )
    for name in ("open-cluster-management-addon-b", "open-cluster-management-addon-a", "open-cluster-management-add"):
        world.client.delete(NAMESPACES, name)
    deadline = 30
    with world.client.watch(NAMESPACES, timeout_seconds=deadline) as watch:
        left = {each["metadata"]["name"] for each in world.client.list(NAMESPACES)}
        for event in watch:
            if event.type == "DELETED":
                left.discard(event.object["metadata"]["name"])
            if not any(name.startswith("open-cluster-management-add") for name in left):
                break


def test_missing_dnsmasq_configuration(world):
    (world.host.folder / "usr/local/bin/dnsmasq_config.sh").unlink()
    assert ask(world) == "Rejected due to system missing dnsmasq config required for IBU"


def test_pull_secret_of_an_earlier_seed(world):
    (world.host.folder / "var/lib/kubelet/config.json").write_bytes(SANITIZED + b"\n")
    assert ask(world) == ("Rejected due to invalid cluster pull-secret (previously sanitized without proper restore)")


def test_unreadable_pull_secret_passes(world):
    (world.host.folder / "var/lib/kubelet/config.json").unlink()
    world.ask()
    world.controller.reconcile(Request("seedimage"))
    assert world.conditions() == ["SeedGenInProgress=True/InProgress/Waiting for system to stabilize"]


def test_volumes(world, put):
    spec = {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "hostPath": {"path": "/x"}}
    put(make(VOLUME, "v", spec=spec))
    assert ask(world) == "Rejected: Cluster must not have any Persistent Volumes configured"


def test_local_volumes(world, put):
    put(make_crd("localvolumes", "local.storage.openshift.io", "LocalVolume"))
    local = Kind("local.storage.openshift.io", "v1", "LocalVolume")
    for _ in range(100):  # the kind is served a moment later
        try:
            put(make(local, "x"))
            break
        except errors.NotFound:
            continue
    assert ask(world) == "Rejected: Cluster must not have any LocalVolumes configured"


def test_lvm_clusters(world, put):
    put(make(LVM, "lvmcluster", "default", spec={"storage": {}}))
    assert ask(world) == "Rejected: Cluster must not have any LVMClusters configured"


def make_oadp(version):
    return make(CSV, f"oadp-operator.v{version}", "openshift-adp", spec={"version": version})


def test_data_protection_and_old_oadp(world, put):
    put(make_oadp("1.3.1-rc1"))
    put(make(DPA, "dpa", "openshift-adp", spec={"configuration": {}}))
    assert ask(world) == (
        "Rejected: Cluster must not have any DataProtectionApplication resources configured; "
        "Rejected: Cluster must have OADP version >= 1.3.1"
    )


def test_new_oadp_without_data_protection_passes(world, put):
    put(make_oadp("1.3.1"))
    world.ask()
    world.pass_once()
    assert len(world.conditions()) == 1


def test_data_protection_without_oadp_passes(world, put):
    put(make(DPA, "dpa", "openshift-adp", spec={"configuration": {}}))
    world.ask()
    world.pass_once()
    assert len(world.conditions()) == 1


def test_upgrade_that_is_under_way(world, put):
    condition = {"type": "Idle", "status": "False", "reason": "InProgress", "message": "In progress"}
    condition |= {"lastTransitionTime": "2026-01-01T00:00:00Z", "observedGeneration": 1}
    put(make(UPGRADE, "upgrade", spec={"stage": "Prep"}, status={"conditions": [condition]}))
    assert ask(world) == (
        "Rejected: ImageBasedUpgrade upgrade must be Idle, it is in stage Prep; finish or abort it first"
    )


def test_missing_image(world):
    world.put_secret("seedgen", NAMESPACE, {"seedAuth": world.auth})
    world.client.create(
        {"apiVersion": "lca.openshift.io/v1", "kind": "SeedGenerator", "metadata": {"name": "seedimage"}}
    )
    assert world.pass_once() is None
    assert "Rejected: spec.seedImage must name the image to push" in world.conditions()[1]


def test_missing_secret(world):
    world.ask()
    world.client.delete(SECRET, "seedgen", NAMESPACE)
    assert world.pass_once() is None
    assert world.conditions()[1] == (
        "SeedGenInProgress=False/Failed/could not access secret seedgen in openshift-lifecycle-agent: "
        'secrets "seedgen" not found'
    )


def test_secret_without_the_key(world):
    world.ask()
    world.client.delete(SECRET, "seedgen", NAMESPACE)
    world.put_secret("seedgen", NAMESPACE, {"auth": "x"})
    assert world.pass_once() is None
    assert world.conditions()[1] == "SeedGenInProgress=False/Failed/could not find seedAuth in seedgen secret"


def test_secret_that_is_no_auth_file_is_not_repeated(world):
    world.auth = "pusher:t0p-s3cret"
    message = ask(world)
    assert message.startswith("seedAuth in seedgen secret can not be used: it is not a container auth file")
    assert "t0p-s3cret" not in message


def test_wrong_password(world):
    world.auth = make_auth(world.registry, "wrong-pa55")
    message = ask(world)
    assert message.startswith(REFUSED + world.image)
    assert "unauthorized" in message
    assert "wrong-pa55" not in message


def test_no_password(world):
    world.auth = '{"auths":{}}'
    assert "unauthorized" in ask(world)


def test_unreachable_registry(world):
    message = ask(world, seedImage="127.0.0.1:1/org/seed:1")
    assert message.startswith(f"{REFUSED}127.0.0.1:1/org/seed:1: ")
    assert "connection refused" in message


def test_image_that_is_no_pull_spec(world):
    assert "invalid reference format" in ask(world, seedImage=f"{world.registry}/Org/Seed:1")


def test_too_little_space(world, monkeypatch):
    monkeypatch.setattr(
        "agent.seedgen.validation.measure_disk_space", lambda path: DiskSpace(1, 1000, 10), raising=True
    )
    assert ask(world).startswith("Rejected: not enough space in /var/tmp for the seed image: about 0.0 GiB needed")


def test_all_objections_come_together(world, put):
    (world.host.folder / "usr/local/bin/dnsmasq_config.sh").unlink()
    put(make(LVM, "lvmcluster", "default", spec={"storage": {}}))
    world.auth = "x"
    assert ask(world).split("; ")[:3] == [
        "Rejected due to system missing dnsmasq config required for IBU",
        "Rejected: Cluster must not have any LVMClusters configured",
        "seedAuth in seedgen secret can not be used: it is not a container auth file: JSON such as "
        '{"auths":{"quay.io":{"auth":"..."}}}',
    ]


def test_operator_that_does_not_know_its_image_tries_again_and_writes_nothing(world):
    world.client.delete(Kind("", "v1", "Pod"), "operator", NAMESPACE)
    world.ask()
    with pytest.raises(OwnImageError, match="failed to get pod info"):
        world.pass_once()
    assert world.conditions() == []
    pod = {"containers": [{"name": "manager", "image": "quay.io/lca:1"}]}
    world.client.create(make(Kind("", "v1", "Pod"), "operator", NAMESPACE, spec=pod))
    world.pass_once()
    assert len(world.conditions()) == 1


def test_push_test_leaves_no_name_in_the_registry(world):
    world.image = f"{world.registry}/org/untouched:1"
    world.ask()
    world.pass_once()
    assert len(world.conditions()) == 1
    (world.host.folder / "var/auth.json").write_text(world.auth)
    found = world.host.runner.run(
        "skopeo", "list-tags", "--authfile", "/var/auth.json", f"docker://{world.registry}/org/untouched", ok=(1,)
    )
    assert "404 (Not Found)" in found.output  # a repository without a tag is none
