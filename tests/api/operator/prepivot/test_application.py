"""Backups and what restores them, with Velero played by the test: it sets the phases of the Backups."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from agent.ibu.prepivot.target import RepeatedError
from agent.kube import Client, Kind, Object
from tests.api.operator.prepivot.cluster import Cluster
from tests.api.operator.prepivot.test_export import make_config_map
from tests.api.operator.prepivot.test_failures import assert_failed
from tests.api.operator.prepivot.upgrade import Upgrade, Versions, read_tree, snapshot
from tools.operator_process import read_conditions

ADP = "openshift-adp"
BACKUP = Kind("velero.io", "v1", "Backup")
SECRET = Kind("", "v1", "Secret")
DATA_PROTECTION = Kind("oadp.openshift.io", "v1alpha1", "DataProtectionApplication")
LOCATION = Kind("velero.io", "v1", "BackupStorageLocation")
OADP = "var/opt/OADP"
CLUSTER_ID = "11111111-2222-3333-4444-555555555555"
RECONCILED = {"reason": "Complete", "message": "Reconcile complete", "lastTransitionTime": "2026-01-01T00:00:00Z"}
SPEC = {"oadpContent": [{"name": "oadp-cm", "namespace": ADP}]}


def make_pair(name: str, wave: str = "1") -> list[Object]:
    annotations = {"lca.openshift.io/apply-wave": wave}
    metadata = {"namespace": ADP, "annotations": annotations}
    backup = {"includedNamespaces": ["apps"], "storageLocation": "default"}
    common = {"apiVersion": "velero.io/v1"}
    return [
        {**common, "kind": "Backup", "metadata": {**metadata, "name": name}, "spec": backup},
        {
            **common,
            "kind": "Restore",
            "metadata": {**metadata, "name": f"restore-{name}"},
            "spec": {"backupName": name},
        },
    ]


def make_content(*objects: Object) -> Object:
    return make_config_map("oadp-cm", ADP, **{"a.yaml": "\n---\n".join(json.dumps(obj) for obj in objects)})


def make_application(name: str) -> Object:
    bucket = {"provider": "aws", "default": True, "objectStorage": {"bucket": "b", "prefix": "p"}}
    velero = {**bucket, "credential": {"key": "cloud", "name": "bucket-key"}}
    return {
        "apiVersion": DATA_PROTECTION.api_version,
        "kind": DATA_PROTECTION.kind,
        "metadata": {"name": name, "namespace": ADP},
        "spec": {
            "backupLocations": [{"velero": velero}],
            "configuration": {"velero": {"defaultPlugins": ["openshift", "aws"]}},
        },
        "status": {"conditions": [{"type": "Reconciled", "status": "True", **RECONCILED}]},
    }


@pytest.fixture
def oadp(cluster: Cluster) -> Callable[..., None]:
    """OADP as it is set up in the recorded runs, and its content."""
    location = {
        "apiVersion": "velero.io/v1",
        "kind": "BackupStorageLocation",
        "metadata": {"name": "default", "namespace": ADP},
        "spec": {"objectStorage": {"bucket": "b"}, "provider": "aws"},
        "status": {"phase": "Available"},
    }
    metadata = {"name": "bucket-key", "namespace": ADP}
    key = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": {"cloud": "W2RlZmF1bHRdCg=="}}
    for obj in (make_application("dpa1"), location, key):
        cluster.put(obj)

    def set_content(*objects: Object) -> None:
        cluster.put(make_content(*objects))

    return set_content


@pytest.fixture(autouse=True)
def _no_backups(client: Client, installed: None) -> Any:
    yield
    for backup in client.list(BACKUP, ADP):
        client.delete(BACKUP, backup["metadata"]["name"], ADP)


def set_phase(upgrade: Upgrade, name: str, phase: str, **status: Any) -> None:
    """Do what Velero does."""
    upgrade.client.patch_merge(BACKUP, name, {"status": {"phase": phase, **status}}, ADP)


def list_backups(upgrade: Upgrade) -> list[str]:
    return [backup["metadata"]["name"] for backup in upgrade.client.list(BACKUP, ADP)]


def test_backups_run_wave_by_wave_and_then_everything_is_exported(upgrade: Upgrade, oadp: Callable[..., None]) -> None:
    oadp(*make_pair("second", "2"), *make_pair("b"), *make_pair("a"))
    before = snapshot(upgrade.stateroot)
    upgrade.begin(**SPEC)
    versions = Versions(upgrade)
    assert upgrade.run_pass() == timedelta(seconds=30)
    assert list_backups(upgrade) == ["a", "b"]
    backup = upgrade.client.get(BACKUP, "a", ADP)
    started = upgrade.read()["status"]["history"][-1]["startTime"]
    assert backup["metadata"]["labels"]["config.openshift.io/clusterID"] == CLUSTER_ID
    attempt = backup["metadata"]["annotations"]["lca.openshift.io/ibu-upgrade-id"]
    assert attempt == f"{upgrade.read()['metadata']['uid']} {started}"
    assert upgrade.message.startswith("Backup of Application Data is in progress")
    for name in ("a", "b"):
        set_phase(upgrade, name, "Completed")
    upgrade.run_pass()
    assert list_backups(upgrade) == ["a", "b", "second"]
    assert snapshot(upgrade.stateroot) == before
    assert upgrade.commands() == []
    set_phase(upgrade, "second", "Completed")
    upgrade.run_pass()
    assert upgrade.is_reboot_requested()
    messages = [read_conditions(obj)[-1].partition(" ")[2] for obj in versions.list()]
    shown = list(dict.fromkeys(message.partition(":")[0] for message in messages))
    assert shown == [
        "In progress",
        "Backing up Application Data",
        "Backup of Application Data is in progress",
        "Exporting Application Configuration",
        "Exporting Policy and Config Manifests",
        "Exporting Cluster, LVM, and cert-manager configuration",
    ]


def test_application_secrets_and_restores_are_exported(upgrade: Upgrade, oadp: Callable[..., None]) -> None:
    oadp(*make_pair("two", "10"), *make_pair("one", "2"), *make_pair("also-one", "2"))
    upgrade.begin(**SPEC)
    for _ in range(2):
        upgrade.run_pass()
        for name in list_backups(upgrade):
            set_phase(upgrade, name, "Completed")
    upgrade.run_pass()
    written = read_tree(upgrade.stateroot / OADP)
    assert list(written) == [
        "dpa/dpa1.yaml",
        "secret/bucket-key.yaml",
        "veleroRestore/restore1/1_restore-also-one_openshift-adp.yaml",
        "veleroRestore/restore1/2_restore-one_openshift-adp.yaml",
        "veleroRestore/restore2/1_restore-two_openshift-adp.yaml",
    ]
    assert written["dpa/dpa1.yaml"]["metadata"] == {"name": "dpa1", "namespace": ADP}
    assert "status" not in written["dpa/dpa1.yaml"]
    assert written["secret/bucket-key.yaml"]["data"] == {"cloud": "W2RlZmF1bHRdCg=="}
    assert written["veleroRestore/restore2/1_restore-two_openshift-adp.yaml"] == make_pair("two", "10")[1]
    modes = {mode for mode, content in snapshot(upgrade.stateroot / OADP).values() if content == "folder"}
    assert modes == {0o700}
    assert {mode for mode, content in snapshot(upgrade.stateroot / OADP).values() if content != "folder"} == {0o600}


def test_without_oadp_content_nothing_of_oadp_is_looked_at(upgrade: Upgrade, oadp: Callable[..., None]) -> None:
    upgrade.begin()
    upgrade.run_pass()
    assert not (upgrade.stateroot / OADP).exists()


def test_failed_backup_ends_the_stage(upgrade: Upgrade, oadp: Callable[..., None]) -> None:
    """upgrade-oadp-002; the cause stands behind the recorded text."""
    oadp(*make_pair("b1"))
    upgrade.begin(**SPEC)
    upgrade.run_pass()
    set_phase(upgrade, "b1", "Failed", failureReason="disk on fire")
    assert upgrade.run_pass() is None
    message = upgrade.message
    assert message.startswith("Failed backup CRs: b1\n")
    assert "disk on fire" in message
    assert_failed(upgrade, message)


def test_content_that_vanished_after_prep_ends_the_stage(upgrade: Upgrade, oadp: Callable[..., None]) -> None:
    """upgrade-oadp-006."""
    upgrade.begin(**SPEC)
    upgrade.run_pass()
    assert_failed(
        upgrade,
        "error while getting sorted backups from configmap: OADP configmap not found, error: failed to get configMap "
        'configmaps "oadp-cm" not found. Please create the configmap.',
    )


def test_wave_that_is_no_number_ends_the_stage(upgrade: Upgrade, oadp: Callable[..., None]) -> None:
    oadp(*make_pair("b1", "first"))
    upgrade.begin(**SPEC)
    upgrade.run_pass()
    assert "UpgradeInProgress=False/Failed error while getting sorted backups from configmap: " in str(
        read_conditions(upgrade.read())
    )
    assert list_backups(upgrade) == []


def run_backups(upgrade: Upgrade) -> None:
    """Begin, and let the Backups complete."""
    upgrade.begin(**SPEC)
    upgrade.run_pass()
    for name in list_backups(upgrade):
        set_phase(upgrade, name, "Completed")


def test_second_application_ends_the_stage(upgrade: Upgrade, oadp: Callable[..., None], cluster: Cluster) -> None:
    oadp(*make_pair("b1"))
    run_backups(upgrade)
    cluster.put(make_application("dpa2"))
    upgrade.run_pass()
    text = "Only one DataProtectionApplication CR is allowed in the openshift-adp"
    assert_failed(upgrade, f"failed to export OADP configuration: {text}")


def test_missing_credentials_are_waited_for(upgrade: Upgrade, oadp: Callable[..., None], cluster: Cluster) -> None:
    oadp(*make_pair("b1"))
    run_backups(upgrade)
    cluster.delete(SECRET, "bucket-key", ADP)
    with pytest.raises(RepeatedError):
        upgrade.run_pass()
    assert upgrade.message == (
        "Exporting Application Configuration: Failure occurred: error while exporting OADP configuration and restores: "
        'failed to get storageSecret: secrets "bucket-key" not found'
    )
    assert not (upgrade.stateroot / OADP / "secret").exists()


def test_restart_while_a_backup_runs_goes_on_with_it(upgrade: Upgrade, oadp: Callable[..., None]) -> None:
    oadp(*make_pair("b1"))
    upgrade.begin(**SPEC)
    upgrade.run_pass()
    first = upgrade.client.get(BACKUP, "b1", ADP)["metadata"]["uid"]
    upgrade.start()
    upgrade.run_pass()
    assert upgrade.client.get(BACKUP, "b1", ADP)["metadata"]["uid"] == first
    set_phase(upgrade, "b1", "Completed")
    upgrade.start()
    upgrade.run_pass()
    assert upgrade.is_reboot_requested()
