"""Storage locations: their phase, the Backups found in them, deletion, download."""

from __future__ import annotations

import gzip
import json
import urllib.error
import urllib.request
from typing import Any

import pytest

from agent.kube import Kind
from sandbox.velero import OADP_NAMESPACE

BACKUP = Kind("velero.io", "v1", "Backup")
CONFIG_MAP = Kind("", "v1", "ConfigMap")
NAMESPACE = Kind("", "v1", "Namespace")
APPLICATION = Kind("oadp.openshift.io", "v1alpha1", "DataProtectionApplication")
LOCATION = Kind("velero.io", "v1", "BackupStorageLocation")


def condition(application: Any) -> Any:
    return next(iter((application.get("status") or {}).get("conditions") or ()), {})


def test_application_is_reconciled_and_owns_its_location(velero: Any) -> None:
    application = velero.wait(APPLICATION, "dpa", OADP_NAMESPACE, lambda obj: condition(obj).get("status") == "True")
    assert (condition(application)["reason"], condition(application)["message"]) == ("Complete", "Reconcile complete")
    owner = velero.get("BackupStorageLocation", "dpa-1")["metadata"]["ownerReferences"][0]
    assert owner["uid"] == application["metadata"]["uid"]


def test_application_without_its_secret_says_so_until_it_is_there(velero: Any) -> None:
    def use_secret(name: str) -> None:
        location = velero.client.get(APPLICATION, "dpa", OADP_NAMESPACE)["spec"]["backupLocations"][0]
        location["velero"]["credential"]["name"] = name
        velero.client.patch_merge(APPLICATION, "dpa", {"spec": {"backupLocations": [location]}}, OADP_NAMESPACE)

    use_secret("missing")
    broken = velero.wait(APPLICATION, "dpa", OADP_NAMESPACE, lambda obj: condition(obj).get("status") == "False")
    assert condition(broken)["message"] == 'secrets "missing" not found'
    use_secret("cloud-credentials")
    velero.wait(APPLICATION, "dpa", OADP_NAMESPACE, lambda obj: condition(obj).get("status") == "True")


def test_store_down_makes_the_location_unavailable_and_up_available_again(velero: Any, name: str) -> None:
    velero.store.stop()
    try:
        location = velero.until_phase("BackupStorageLocation", "dpa-1", "Unavailable")
        assert "Connection refused" in location["status"]["message"]
        backup = velero.backup(name, includedNamespaces=["default"])
        restore = velero.restore(name)
    finally:
        velero.store.start()
    assert backup["phase"] == restore["phase"] == "FailedValidation"
    assert "is in Unavailable status" in backup["validationErrors"][0]
    velero.until_phase("BackupStorageLocation", "dpa-1", "Available")


def test_store_lost_during_a_backup_fails_it(velero: Any, name: str) -> None:
    velero.faults.set("backup-hangs")
    velero.create("Backup", name, includedNamespaces=["default"])
    velero.until_phase("Backup", name, "InProgress")
    velero.store.stop()
    try:
        velero.faults.clear()
        failed = velero.until_phase("Backup", name, "Failed")
    finally:
        velero.store.start()
    assert failed["status"]["failureReason"].startswith("error checking if backup already exists in object storage")
    velero.until_phase("BackupStorageLocation", "dpa-1", "Available")


def test_deletion_of_an_unreachable_backup_is_refused(velero: Any, namespace: str) -> None:
    velero.backup(namespace, includedNamespaces=[namespace])
    velero.store.stop()
    try:
        velero.until_phase("BackupStorageLocation", "dpa-1", "Unavailable")
        velero.create("DeleteBackupRequest", namespace, backupName=namespace)
        refused = velero.until_phase("DeleteBackupRequest", namespace, "Processed")
    finally:
        velero.store.start()
    message = "cannot delete backup because backup storage location dpa-1 is currently in Unavailable state"
    assert refused["status"]["errors"] == [message]
    velero.until_phase("BackupStorageLocation", "dpa-1", "Available")


def test_deletion_removes_backup_restores_files_and_request(velero: Any, namespace: str) -> None:
    velero.backup(namespace, includedNamespaces=[namespace])
    velero.restore(namespace)
    velero.create("DeleteBackupRequest", f"delete-{namespace}", backupName=namespace)
    velero.wait_gone(Kind("velero.io", "v1", "DeleteBackupRequest"), f"delete-{namespace}", OADP_NAMESPACE)
    assert velero.client.find(BACKUP, namespace, OADP_NAMESPACE) is None
    assert velero.client.find(Kind("velero.io", "v1", "Restore"), namespace, OADP_NAMESPACE) is None
    assert velero.keys(f"backups/{namespace}/") == velero.keys(f"restores/{namespace}/") == []


def test_deletion_of_an_unknown_backup_is_answered_with_an_error(velero: Any, name: str) -> None:
    velero.create("DeleteBackupRequest", name, backupName=name)
    assert velero.until_phase("DeleteBackupRequest", name, "Processed")["status"]["errors"] == ["backup not found"]


def test_backup_missing_in_the_cluster_comes_back_from_the_store_and_can_be_restored(
    velero: Any, namespace: str
) -> None:
    """As after a pivot, when the new release begins with an etcd that knows nothing of the backup."""
    velero.create("Backup", namespace, includedNamespaces=[namespace], labels={"config.openshift.io/clusterID": "c-1"})
    before = velero.until_phase("Backup", namespace, "Completed")
    velero.delete(BACKUP, namespace, OADP_NAMESPACE)
    velero.delete(NAMESPACE, namespace)
    synced = velero.until_phase("Backup", namespace, "Completed")
    assert synced["metadata"]["labels"]["config.openshift.io/clusterID"] == "c-1"
    assert synced["metadata"]["uid"] != before["metadata"]["uid"]
    assert synced["status"] == before["status"]
    assert velero.restore(namespace)["phase"] == "Completed"
    assert velero.client.find(CONFIG_MAP, "settings", namespace)


def test_backup_missing_in_the_store_vanishes_from_the_cluster(velero: Any, namespace: str) -> None:
    velero.backup(namespace, includedNamespaces=[namespace])
    for key in velero.keys(f"backups/{namespace}/"):
        velero.s3.delete_object(Bucket="backups", Key=f"sno/{key}")
    velero.wait_gone(BACKUP, namespace, OADP_NAMESPACE)


def test_expired_backup_is_deleted(velero: Any, namespace: str) -> None:
    velero.backup(namespace, includedNamespaces=[namespace], ttl="1s")
    velero.wait_gone(BACKUP, namespace, OADP_NAMESPACE)
    assert velero.keys(f"backups/{namespace}/") == []


@pytest.mark.parametrize("target", ["BackupLog", "BackupResults", "BackupResourceList", "RestoreLog", "RestoreResults"])
def test_download_request_gives_a_url_that_anybody_may_fetch(velero: Any, namespace: str, target: str) -> None:
    velero.backup(namespace, includedNamespaces=[namespace])
    velero.restore(namespace)
    velero.create("DownloadRequest", f"{namespace}-x", target={"kind": target, "name": namespace})
    status = velero.until_phase("DownloadRequest", f"{namespace}-x", "Processed")["status"]
    with urllib.request.urlopen(status["downloadURL"]) as answer:
        text = gzip.decompress(answer.read()).decode()
    assert "level=info" in text if target.endswith("Log") else isinstance(json.loads(text), dict)


def test_download_request_for_a_file_never_written_gives_404(velero: Any, name: str) -> None:
    velero.backup(name, labelSelector={}, orLabelSelectors=[{}])
    velero.create("DownloadRequest", name, target={"kind": "BackupLog", "name": name})
    url = velero.until_phase("DownloadRequest", name, "Processed")["status"]["downloadURL"]
    with pytest.raises(urllib.error.HTTPError, match="404"):
        urllib.request.urlopen(url)


def test_server_status_request_is_answered(velero: Any, name: str) -> None:
    velero.create("ServerStatusRequest", name)
    assert velero.until_phase("ServerStatusRequest", name, "Processed")["status"]["serverVersion"].startswith("v1.")
