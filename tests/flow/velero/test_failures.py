"""What goes wrong, and what Velero says then."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest

from agent.kube import Kind, errors

BACKUP = Kind("velero.io", "v1", "Backup")
UNKNOWN_BACKUP = 'Error retrieving backup: backups.velero.io "{}" not found'


@pytest.mark.parametrize(
    ("spec", "problem"),
    [
        ({"labelSelector": {}, "orLabelSelectors": [{}]}, "encountered labelSelector as well as orLabelSelectors"),
        ({"includedResources": ["pods"], "includedClusterScopedResources": ["nodes"]}, "They cannot be used together"),
        ({"includedNamespaces": ["*", "a"]}, "Invalid included/excluded namespace lists: includes list must"),
        ({"includedNamespaces": ["a"], "excludedNamespaces": ["a"]}, "cannot contain an item in the includes list: a"),
        ({"storageLocation": "elsewhere"}, "'elsewhere' wasn't found"),
        ({"ttl": "soon"}, "spec.ttl: invalid duration 'soon'"),
    ],
    ids=["selectors", "filters", "star", "overlap", "location", "ttl"],
)
def test_backup_with_a_contradiction_fails_validation(velero: Any, name: str, spec: Any, problem: str) -> None:
    status = velero.backup(name, **spec)
    assert status["phase"] == "FailedValidation"
    assert any(problem in text for text in status["validationErrors"])
    assert velero.keys(f"backups/{name}/") == []


@pytest.mark.parametrize(
    ("spec", "problem"),
    [
        ({}, UNKNOWN_BACKUP),
        ({"includedResources": ["nodes"]}, "nodes are non-restorable resources"),
        ({"labelSelector": {}, "orLabelSelectors": [{}]}, "encountered labelSelector as well as orLabelSelectors"),
        ({"existingResourcePolicy": "replace"}, "unexpected existingResourcePolicy: replace"),
    ],
    ids=["backup", "nodes", "selectors", "policy"],
)
def test_restore_with_a_contradiction_fails_validation(velero: Any, name: str, spec: Any, problem: str) -> None:
    status = velero.restore(name, **spec)
    assert status["phase"] == "FailedValidation"
    assert any(problem.format(name) in text for text in status["validationErrors"])


@pytest.mark.parametrize(
    ("kind", "spec", "field"),
    [
        ("Backup", {"includedNamespaces": "test"}, "spec.includedNamespaces"),
        ("Backup", {"hooks": {"resources": [{}]}}, "spec.hooks.resources.name"),
        ("Restore", {"restorePVs": "yes"}, "spec.restorePVs"),
        ("DownloadRequest", {"target": {"kind": "Everything", "name": "x"}}, "spec.target.kind"),
        ("BackupStorageLocation", {"provider": "aws"}, "spec.objectStorage"),
    ],
)
def test_api_server_refuses_what_the_real_definitions_refuse(
    velero: Any, name: str, kind: str, spec: Any, field: str
) -> None:
    with pytest.raises(errors.Invalid, match=field):
        velero.create(kind, name, **spec)


def test_backup_of_a_missing_namespace_fails_partially(velero: Any, name: str) -> None:
    status = velero.backup(name, includedNamespaces=[name])
    assert (status["phase"], status["errors"]) == ("PartiallyFailed", 1)
    results = json.loads(gzip.decompress(velero.read(f"backups/{name}/{name}-results.gz")))
    assert results["errors"]["namespaces"][name] == [
        f"fail to get the namespace {name} specified in backup.Spec.IncludedNamespaces"
    ]


def test_backup_whose_files_are_in_the_store_already_fails(velero: Any, name: str) -> None:
    velero.s3.put_object(
        Bucket="backups", Key=f"sno/backups/{name}/velero-backup.json", Body=b'{"status":{"phase":"New"}}'
    )
    status = velero.backup(name, includedNamespaces=["default"])
    assert (status["phase"], status["failureReason"]) == ("Failed", "backup already exists in object storage")


@pytest.mark.parametrize(
    ("value", "phase"), [("", "PartiallyFailed"), ("t-*:Failed", "Failed"), ("other", "Completed")]
)
def test_fault_backup_fails(velero: Any, namespace: str, value: str, phase: str) -> None:
    velero.faults.set("backup-fails", value)
    assert velero.backup(namespace, includedNamespaces=[namespace])["phase"] == phase


@pytest.mark.parametrize(("value", "phase"), [("", "PartiallyFailed"), ("*:Failed", "Failed")])
def test_fault_restore_fails(velero: Any, namespace: str, value: str, phase: str) -> None:
    velero.backup(namespace, includedNamespaces=[namespace])
    velero.faults.set("restore-fails", value)
    status = velero.restore(namespace)
    assert status["phase"] == phase
    assert (phase == "Failed") == ("the fault restore-fails is active" in status.get("failureReason", ""))


def test_fault_backup_hangs_until_it_is_cleared(velero: Any, namespace: str) -> None:
    velero.faults.set("backup-hangs")
    velero.create("Backup", namespace, includedNamespaces=[namespace])
    velero.until_phase("Backup", namespace, "InProgress")
    velero.create("DeleteBackupRequest", namespace, backupName=namespace)
    refused = velero.until_phase("DeleteBackupRequest", namespace, "Processed")
    assert refused["status"]["errors"] == ["backup is still in progress"]
    velero.faults.clear()
    velero.until_phase("Backup", namespace, "Completed")


def test_fault_restore_hangs_until_it_is_cleared(velero: Any, namespace: str) -> None:
    velero.backup(namespace, includedNamespaces=[namespace])
    velero.faults.set("restore-hangs")
    velero.create("Restore", namespace, backupName=namespace)
    velero.until_phase("Restore", namespace, "InProgress")
    velero.faults.clear()
    velero.until_phase("Restore", namespace, "Completed")


def test_server_started_again_fails_what_was_in_progress(velero: Any, run_server: Any, name: str) -> None:
    velero.faults.set("backup-hangs")
    velero.create("Backup", name, includedNamespaces=["default"])
    velero.until_phase("Backup", name, "InProgress")
    with run_server():
        failed = velero.until_phase("Backup", name, "Failed")
    assert failed["status"]["failureReason"].startswith('found a backup with status "InProgress" during the server')
