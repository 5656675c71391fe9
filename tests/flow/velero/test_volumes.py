"""LVM Storage: claims get volumes, and what becomes of their content when the cluster is restored after a pivot."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from agent.kube import Kind, errors
from sandbox.lvms import VolumeNotFoundError, find_volume

CLAIM = Kind("", "v1", "PersistentVolumeClaim")
VOLUME = Kind("", "v1", "PersistentVolume")
LOGICAL_VOLUME = Kind("topolvm.io", "v1", "LogicalVolume")
LVM_CLUSTER = Kind("lvm.topolvm.io", "v1alpha1", "LVMCluster")
NAMESPACE = Kind("", "v1", "Namespace")
STORAGE_CLASS = Kind("storage.k8s.io", "v1", "StorageClass")
DOCUMENTED = {
    "includedNamespaceScopedResources": ["persistentvolumeclaims", "configmaps"],
    "includedClusterScopedResources": ["persistentVolumes", "volumesnapshotcontents", "logicalvolumes.topolvm.io"],
}


@pytest.fixture(autouse=True)
def storage_class(client: Any, velero: Any, run_driver: Any) -> None:
    """The class `lvms-vg1`, made by LVM Storage for an LVMCluster."""
    velero.put_once("Namespace", "openshift-storage")
    spec = {"storage": {"deviceClasses": [{"name": "vg1", "default": True}]}}
    velero.put_once("LVMCluster", "lvm", "openshift-storage", api="lvm.topolvm.io/v1alpha1", spec=spec)
    with run_driver():
        velero.wait(LVM_CLUSTER, "lvm", "openshift-storage", lambda obj: (obj.get("status") or {}).get("ready"))
    assert client.get(STORAGE_CLASS, "lvms-vg1")["provisioner"] == "topolvm.io"


CLAIM_SPEC = {
    "accessModes": ["ReadWriteOnce"],
    "storageClassName": "lvms-vg1",
    "resources": {"requests": {"storage": "1Gi"}},
}
CONSUMED = {"volume.kubernetes.io/selected-node": "sno1"}
"""What the scheduler notes on a claim when its first Pod comes."""


def claim_volume(velero: Any, namespace: str) -> Any:
    """A bound claim `db`; returns its volume."""
    velero.put("PersistentVolumeClaim", "db", namespace, spec=CLAIM_SPEC, annotations=CONSUMED)
    return bound_volume(velero, namespace)


def bound_volume(velero: Any, namespace: str) -> Any:
    bound = velero.wait(CLAIM, "db", namespace, lambda obj: obj["status"].get("phase") == "Bound")
    return velero.client.get(VOLUME, bound["spec"]["volumeName"])


def content_of(velero: Any, lvm: Path, volume: Any) -> Path:
    return find_volume(velero.client, lvm, volume["spec"]["csi"]["volumeHandle"]) / "content"


def keep_volume(velero: Any, volume: Any) -> None:
    """What the agent does before a backup."""
    patch = {"spec": {"persistentVolumeReclaimPolicy": "Retain"}}
    velero.client.patch_merge(VOLUME, volume["metadata"]["name"], patch)


def pivot(velero: Any, namespace: str) -> None:
    """The new release's cluster knows nothing of the application; nobody cleans up behind its objects."""
    velero.client.delete(CLAIM, "db", namespace)
    for kind in (VOLUME, LOGICAL_VOLUME):
        for obj in velero.client.list(kind):
            with suppress(errors.NotFound):  # the finalizer was all that kept it
                velero.client.patch_merge(kind, obj["metadata"]["name"], {"metadata": {"finalizers": None}})
                velero.client.delete(kind, obj["metadata"]["name"])
    velero.delete(NAMESPACE, namespace)


def test_claim_gets_a_volume_on_the_node(velero: Any, lvm: Path, run_driver: Any, namespace: str) -> None:
    with run_driver():
        volume = claim_volume(velero, namespace)
    logical = velero.client.get(LOGICAL_VOLUME, volume["metadata"]["name"])
    assert volume["spec"]["csi"] == {
        "driver": "topolvm.io",
        "fsType": "xfs",
        "volumeHandle": logical["status"]["volumeID"],
    }
    assert volume["metadata"]["annotations"]["pv.kubernetes.io/provisioned-by"] == "topolvm.io"
    assert (lvm / "vg1" / logical["status"]["volumeID"]).is_dir()


def test_claim_waits_for_its_first_consumer(velero: Any, run_driver: Any, namespace: str) -> None:
    with run_driver():
        waiting = velero.put("PersistentVolumeClaim", "later", namespace, spec=CLAIM_SPEC)
        claim_volume(velero, namespace)
        assert velero.client.find(LOGICAL_VOLUME, f"pvc-{waiting['metadata']['uid']}") is None
        velero.client.patch_merge(CLAIM, "later", {"metadata": {"annotations": CONSUMED}}, namespace)
        velero.wait(CLAIM, "later", namespace, lambda obj: obj["status"]["phase"] == "Bound")


@pytest.mark.parametrize("policy", ["Delete", "Retain"])
def test_deleted_claim_takes_its_content_along_unless_it_is_retained(
    velero: Any, lvm: Path, run_driver: Any, namespace: str, policy: str
) -> None:
    with run_driver():
        volume = claim_volume(velero, namespace)
        if policy == "Retain":
            keep_volume(velero, volume)
        content = content_of(velero, lvm, volume)
        content.write_text("data")
        velero.delete(CLAIM, "db", namespace)
        if policy == "Delete":
            velero.wait_gone(LOGICAL_VOLUME, volume["metadata"]["name"])
            velero.wait_gone(VOLUME, volume["metadata"]["name"])
        else:
            velero.wait(VOLUME, volume["metadata"]["name"], None, lambda obj: obj["status"]["phase"] == "Released")
    assert content.exists() == (policy == "Retain")


def test_documented_restore_finds_the_content_again(velero: Any, lvm: Path, run_driver: Any, namespace: str) -> None:
    with run_driver():
        before = claim_volume(velero, namespace)
        keep_volume(velero, before)
        content_of(velero, lvm, before).write_text("data")
        velero.backup(namespace, includedNamespaces=[namespace], **DOCUMENTED)
    pivot(velero, namespace)
    with run_driver():
        status = velero.restore(namespace, restorePVs=True, restoreStatus={"includedResources": ["logicalvolumes"]})
        after = bound_volume(velero, namespace)
    assert (status["phase"], status.get("warnings", 0)) == ("Completed", 0)
    assert after["metadata"]["name"] == before["metadata"]["name"]
    assert after["spec"]["csi"]["volumeHandle"] == before["spec"]["csi"]["volumeHandle"]
    assert after["spec"]["persistentVolumeReclaimPolicy"] == "Retain"
    assert content_of(velero, lvm, after).read_text() == "data"


def test_restore_without_status_loses_the_content(velero: Any, lvm: Path, run_driver: Any, namespace: str) -> None:
    with run_driver():
        before = claim_volume(velero, namespace)
        keep_volume(velero, before)
        old = content_of(velero, lvm, before)
        old.write_text("data")
        velero.backup(namespace, includedNamespaces=[namespace], **DOCUMENTED)
    pivot(velero, namespace)
    with run_driver():
        velero.restore(namespace, restorePVs=True)
        name, handle = before["metadata"]["name"], before["spec"]["csi"]["volumeHandle"]
        logical = velero.wait(LOGICAL_VOLUME, name, None, lambda obj: (obj.get("status") or {}).get("volumeID"))
    assert logical["status"]["volumeID"] != handle
    assert list((lvm / "vg1" / logical["status"]["volumeID"]).iterdir()) == []
    with pytest.raises(VolumeNotFoundError, match="VolumeID is not found"):
        find_volume(velero.client, lvm, handle)
    assert old.read_text() == "data", "a rollback must find it again"


def test_restore_of_a_volume_with_policy_delete_makes_an_empty_one(
    velero: Any, lvm: Path, run_driver: Any, namespace: str
) -> None:
    with run_driver():
        before = claim_volume(velero, namespace)
        content_of(velero, lvm, before).write_text("data")
        velero.backup(namespace, includedNamespaces=[namespace], **DOCUMENTED)
    pivot(velero, namespace)
    with run_driver():
        velero.restore(namespace, restorePVs=True, excludedResources=["logicalvolumes"])
        after = bound_volume(velero, namespace)
    assert after["metadata"]["name"] != before["metadata"]["name"]
    assert not content_of(velero, lvm, after).exists()


def test_claim_brings_its_volume_into_the_backup_but_never_the_logical_volume(
    velero: Any, run_driver: Any, namespace: str
) -> None:
    with run_driver():
        volume = claim_volume(velero, namespace)
        velero.backup(namespace, includedNamespaces=[namespace], includedNamespaceScopedResources=["pvc"])
    name = volume["metadata"]["name"]
    taken = velero.archived(namespace)
    assert {f"persistentvolumes/{name}", f"persistentvolumeclaims/{namespace}/db"} <= taken
    assert f"logicalvolumes.topolvm.io/{name}" not in taken
