"""The agent backs up, against Velero's stand-in: waves, labels, failures and their causes, standstill, lost storage."""

from __future__ import annotations

import itertools
import re
import uuid
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from agent.kube import Client, Kind, Object
from agent.velero.names import ATTEMPT_ANNOTATION, BACKUP, CLUSTER_ID_LABEL
from agent.workflow.outcome import Done, Failed, Wait
from sandbox.velero import OADP_NAMESPACE
from tests.flow.velero.mortal import Life, Outage, live_through, lives, outages
from tests.flow.velero.operator import Operator, label_of, list_download_requests, make_backup, message_of, says

LOST = 'found a backup with status "InProgress" during the server starting, mark it as "Failed"'
CONFIG_MAP = Kind("", "v1", "ConfigMap")
SECRET = Kind("", "v1", "Secret")
VOLUME = Kind("", "v1", "PersistentVolume")
DELETE_REQUEST = Kind("velero.io", "v1", "DeleteBackupRequest")
IN_PROGRESS = "Backup of Application Data is in progress: "


def test_groups_run_one_after_the_other(velero: Any, operator: Operator, namespace: str) -> None:
    backups = [
        make_backup(f"{namespace}-last", includedNamespaces=[namespace]),
        make_backup(f"{namespace}-b", 2, includedNamespaces=[namespace]),
        make_backup(f"{namespace}-a", 10, includedNamespaces=[namespace]),
    ]
    assert operator.back_up(backups) == Done()
    assert [text.split(",")[0] for text in dict.fromkeys(t.partition(", ")[0] for t in operator.seen)] == [
        f"{IN_PROGRESS}wave {number}/3" for number in (1, 2, 3)
    ]
    times = [velero.get("Backup", f"{namespace}-{part}")["status"] for part in ("b", "a", "last")]
    for before, after in itertools.pairwise(times):
        assert before["completionTimestamp"] <= after["startTimestamp"]


def test_backups_of_one_group_run_together(velero: Any, operator: Operator, namespace: str) -> None:
    velero.faults.set("backup-hangs", f"{namespace}-*")
    backups = [make_backup(f"{namespace}-{part}", includedNamespaces=[namespace]) for part in "ab"]
    operator.back_up(backups, says(f"wave 1/1, {namespace}-a InProgress 2/4 items, {namespace}-b InProgress 2/4 items"))
    velero.faults.clear()
    assert operator.back_up(backups) == Done()


def test_backup_is_marked_and_takes_only_labelled_objects(velero: Any, operator: Operator, namespace: str) -> None:
    backup = make_backup(
        namespace,
        label=f"v1/configmaps/{namespace}/settings, v1/secrets/{namespace}/password",
        includedNamespaces=[namespace],
        labelSelector={"matchLabels": {"app": "web"}},
    )
    assert operator.back_up([backup]) == Done()
    live = velero.get("Backup", namespace)
    assert live["metadata"]["labels"][CLUSTER_ID_LABEL] == operator.cluster_id
    assert live["metadata"]["annotations"][ATTEMPT_ANNOTATION] == operator.attempt
    assert live["spec"]["labelSelector"]["matchLabels"] == {"app": "web", "lca.openshift.io/backup": namespace}
    assert label_of(velero, CONFIG_MAP, "settings", namespace) == namespace
    assert velero.archived(namespace) == {f"configmaps/{namespace}/settings", f"namespaces/{namespace}"}
    assert velero.client.get(CONFIG_MAP, "settings", namespace)["metadata"]["labels"]["app"] == "web"


def test_missing_objects_are_named_together_and_nothing_starts(velero: Any, operator: Operator, namespace: str) -> None:
    label = f"v1/secrets/{namespace}/none,v1/configmaps/{namespace}/settings,apps/v1/deployments/{namespace}/d"
    outcome = operator.look_at_backups([make_backup(namespace, label=label)])
    assert isinstance(outcome, Wait)
    detail = "failed to apply backup label on object name:{} namespace:{} resource:{} group:{} version:v1 err:"
    first, second = (
        detail.format("none", namespace, "secrets", ""),
        detail.format("d", namespace, "deployments", "apps"),
    )
    assert outcome.message == (
        f"Backing up Application Data: Failure occurred: failed to apply backup labels: {first}failed to patch object: "
        f'secrets "none" not found; {second}failed to patch object: deployments.apps "d" not found'
    )
    assert velero.client.find(BACKUP, namespace, OADP_NAMESPACE) is None


def test_partly_failed_backup_tells_the_first_errors_and_saves_all(
    velero: Any, operator: Operator, namespace: str, tmp_path: Path
) -> None:
    absent = [f"{namespace}-x{number}" for number in range(7)]
    outcome = operator.back_up([make_backup(namespace, includedNamespaces=[*absent, namespace])])
    lines = message_of(outcome).split("\n")
    assert lines[0] == f"Failed backup CRs: {namespace}"
    assert lines[1].startswith(
        f"  - {namespace}: PartiallyFailed: 7 errors: fail to get the namespace {absent[0]} specified in backup.Spec."
        f"IncludedNamespaces; fail to get the namespace {absent[1]}"
    )
    assert "; and 2 more; see /var/lib/lca/workspace/oadp/backup-" in lines[1]
    assert "`velero backup logs" in lines[1]
    saved = {path.name: path for path in (tmp_path / "oadp").iterdir()}
    assert set(saved) == {f"backup-{namespace}{ending}" for ending in ("-report.txt", "-results.json", ".log")}
    assert absent[6] in saved[f"backup-{namespace}-report.txt"].read_text()
    assert "level=error" in saved[f"backup-{namespace}.log"].read_text()
    assert {path.stat().st_mode & 0o777 for path in saved.values()} == {0o600}
    assert [(notice.reason, namespace in notice.text) for notice in operator.notices] == [("BackupFailed", True)]
    assert list_download_requests(velero, namespace) == []


def test_failed_backup_tells_its_reason(velero: Any, operator: Operator, name: str) -> None:
    velero.s3.put_object(
        Bucket="backups", Key=f"sno/backups/{name}/velero-backup.json", Body=b'{"status":{"phase":"New"}}'
    )
    message = message_of(operator.back_up([make_backup(name, includedNamespaces=["default"])]))
    assert message.startswith(
        f"Failed backup CRs: {name}\n  - {name}: Failed: backup already exists in object storage;"
    )


def test_refused_backup_tells_every_reason_of_velero(velero: Any, operator: Operator, name: str) -> None:
    spec = {"storageLocation": "elsewhere", "labelSelector": {}, "orLabelSelectors": [{}]}
    message = message_of(operator.back_up([make_backup(name, **spec)]))
    assert message.startswith(f"Failed backup CRs: {name}\n  - {name}: FailedValidation: an existing backup storage")
    assert "; encountered labelSelector as well as orLabelSelectors in backup spec" in message
    assert message.endswith(f"; see `oc describe backups.velero.io {name} -n openshift-adp`")


def test_backup_that_the_api_server_refuses_is_no_endless_retry(velero: Any, operator: Operator, name: str) -> None:
    message = message_of(operator.look_at_backups([make_backup(name, includedNamespaces="default")]))
    assert message.startswith(f"Failed backup CRs: {name}\n  - {name}: refused by the API server: Backup.velero.io")
    assert "spec.includedNamespaces" in message
    assert [notice.reason for notice in operator.notices] == ["BackupFailed"]


def test_failure_counts_at_once_while_others_run_and_later_groups_never_start(
    velero: Any, operator: Operator, namespace: str
) -> None:
    velero.faults.set("backup-hangs", f"{namespace}-slow")
    backups = [
        make_backup(f"{namespace}-bad", 1, includedNamespaces=[f"{namespace}-none"]),
        make_backup(f"{namespace}-slow", 1, includedNamespaces=[namespace]),
        make_backup(f"{namespace}-later", 2, includedNamespaces=[namespace]),
    ]
    message = message_of(operator.back_up(backups))
    assert message.split("\n")[0] == f"Failed backup CRs: {namespace}-bad"
    assert velero.client.find(BACKUP, f"{namespace}-later", OADP_NAMESPACE) is None


def test_hanging_backup_shows_its_progress_and_fails_after_the_limit(
    velero: Any, operator: Operator, namespace: str
) -> None:
    velero.faults.set("backup-hangs", namespace)
    backup = make_backup(namespace, includedNamespaces=[namespace])
    waiting = operator.back_up([backup], says(f"{IN_PROGRESS}wave 1/1, {namespace} InProgress 2/4 items"))
    assert isinstance(waiting, Wait)
    assert waiting.after == timedelta(seconds=30)
    operator.delay = timedelta(hours=2, minutes=1)
    message = message_of(operator.look_at_backups([backup]))
    failure = rf"Failed backup CRs: {namespace}\n  - {namespace}: InProgress 2/4 items, no progress for 2h1m(\d+s)?: "
    assert re.match(failure, message)
    assert [notice.reason for notice in operator.notices] == ["BackupFailed"]


def test_backup_that_velero_failed_after_a_power_loss_is_made_again(
    velero: Any, operator: Operator, namespace: str
) -> None:
    velero.faults.set("backup-hangs", namespace)
    backup = make_backup(namespace, includedNamespaces=[namespace])
    operator.back_up([backup], says(f"{IN_PROGRESS}wave 1/1, {namespace} InProgress 2/4 items"))
    velero.restart()
    velero.faults.clear()
    assert LOST in message_of(operator.back_up([backup]))
    operator.boot_id = "boot 2"
    assert operator.back_up([backup]) == Done()
    assert velero.archived(namespace)
    assert [notice.reason for notice in operator.notices] == ["BackupFailed", "BackupRepeated"]


def test_every_progress_starts_the_limit_anew(velero: Any, operator: Operator, namespace: str) -> None:
    velero.faults.set("backup-hangs", namespace)
    backup = make_backup(namespace, includedNamespaces=[namespace])
    operator.back_up([backup], says("2/4 items"))
    operator.delay = timedelta(hours=1, minutes=59)
    assert says("2/4 items (no progress for 11")(operator.look_at_backups([backup]))
    velero.client.patch_merge(BACKUP, namespace, {"status": {"progress": {"itemsBackedUp": 3}}}, OADP_NAMESPACE)
    assert operator.look_at_backups([backup]).message.endswith("3/4 items")  # type: ignore[union-attr]
    operator.delay = timedelta(hours=3, minutes=58)
    assert isinstance(operator.look_at_backups([backup]), Wait)
    operator.delay = timedelta(hours=4)
    assert says("3/4 items, no progress for 2h1m")(operator.look_at_backups([backup]))


def test_limit_of_a_backup_is_its_annotation(velero: Any, operator: Operator, namespace: str) -> None:
    velero.faults.set("backup-hangs", namespace)
    backup = make_backup(namespace, includedNamespaces=[namespace])
    backup["metadata"]["annotations"] = {"lca.openshift.io/backup-timeout": "4h"}
    operator.back_up([backup], says("2/4 items"))
    operator.delay = timedelta(hours=3)
    assert isinstance(operator.look_at_backups([backup]), Wait)
    operator.delay = timedelta(hours=5)
    assert isinstance(operator.look_at_backups([backup]), Failed)


@pytest.mark.parametrize("wave", ["abc", "1.5", "99999999999999999999"])
def test_wave_that_is_no_integer_fails_before_anything_is_done(
    velero: Any, operator: Operator, name: str, wave: str
) -> None:
    message = message_of(operator.look_at_backups([make_backup(name, wave)]))
    assert message.startswith("error while getting sorted backups from configmap: error convert: ")
    assert velero.client.find(BACKUP, name, OADP_NAMESPACE) is None


def test_negative_wave_is_the_first(velero: Any, operator: Operator, namespace: str) -> None:
    backups = [make_backup(f"{namespace}-0", 0), make_backup(f"{namespace}-1", -1)]
    operator.look_at_backups(backups)
    assert velero.client.find(BACKUP, f"{namespace}-1", OADP_NAMESPACE)
    assert velero.client.find(BACKUP, f"{namespace}-0", OADP_NAMESPACE) is None


def test_storage_that_is_away_is_waited_for(velero: Any, operator: Operator, namespace: str, store_down: None) -> None:
    backup = make_backup(namespace, includedNamespaces=[namespace])
    outcome = operator.look_at_backups([backup])
    assert isinstance(outcome, Wait)
    assert f"{namespace} not started: backupStorageLocation dpa-1 not available: " in outcome.message
    assert "Connection refused" in outcome.message
    assert velero.client.find(BACKUP, namespace, OADP_NAMESPACE) is None
    velero.store.start()
    assert operator.back_up([backup]) == Done()


def test_storage_lost_during_a_backup_fails_it_with_the_reason(velero: Any, operator: Operator, namespace: str) -> None:
    velero.faults.set("backup-hangs", namespace)
    backup = make_backup(namespace, includedNamespaces=[namespace])
    operator.back_up([backup], says("InProgress"))
    velero.store.stop()
    try:
        velero.faults.clear()
        message = message_of(operator.back_up([backup]))
    finally:
        velero.store.start()
        velero.until_phase("BackupStorageLocation", "dpa-1", "Available")
    assert "Failed: error checking if backup already exists in object storage" in message
    assert "Connection refused" in message


def test_storage_lost_before_the_causes_are_read_leaves_counts_and_commands(
    velero: Any, operator: Operator, namespace: str
) -> None:
    velero.faults.set("backup-fails", namespace)
    backup = make_backup(namespace, includedNamespaces=[namespace])
    operator.look_at_backups([backup])
    velero.until_phase("Backup", namespace, "PartiallyFailed")
    velero.store.stop()
    try:
        message = message_of(operator.look_at_backups([backup]))
    finally:
        velero.store.start()
    assert f"  - {namespace}: PartiallyFailed: 1 error; see /var" in message
    assert f"`velero backup describe {namespace} --details`" in message
    assert list_download_requests(velero, namespace) == []


def make_volume(velero: Any, name: str) -> None:
    spec = {
        "capacity": {"storage": "1Gi"},
        "accessModes": ["ReadWriteOnce"],
        "persistentVolumeReclaimPolicy": "Delete",
        "storageClassName": "none",
        "hostPath": {"path": "/nowhere"},
    }
    velero.put("PersistentVolume", name, annotations={"pv.kubernetes.io/provisioned-by": "topolvm.io"}, spec=spec)


def test_kill_after_any_write_changes_nothing_in_the_end(velero: Any, kubeconfig: Path) -> None:
    """A stale Backup, a volume, two waves, labelled objects: each life begins on a fresh copy of all of it."""
    for life in lives():
        back_up_in_two_lives(velero, kubeconfig, life, f"t-{uuid.uuid4().hex[:8]}")


def back_up_in_two_lives(velero: Any, kubeconfig: Path, life: Life, name: str) -> None:
    velero.put("Namespace", name)
    velero.put("ConfigMap", "settings", name)
    velero.put("Secret", "password", name)
    make_volume(velero, name)
    assert velero.backup(f"{name}-a", includedNamespaces=[name])["phase"] == "Completed"
    label = f"v1/configmaps/{name}/settings,v1/secrets/{name}/password"
    backups = [
        make_backup(f"{name}-a", 1, label=label, includedNamespaces=[name]),
        make_backup(f"{name}-b", 2, includedNamespaces=[name]),
    ]
    live_through(kubeconfig, life, lambda connect: Operator(connect, cluster_id=name).back_up(backups))
    with Operator(lambda: Client.connect(kubeconfig), cluster_id=name) as reborn:
        assert reborn.back_up(backups) == Done()
    for part in "ab":
        live = velero.get("Backup", f"{name}-{part}")
        assert live["status"]["phase"] == "Completed"
        assert live["metadata"]["annotations"][ATTEMPT_ANNOTATION] == reborn.attempt
    assert label_of(velero, CONFIG_MAP, "settings", name) == f"{name}-a"
    assert label_of(velero, SECRET, "password", name) == f"{name}-a"
    labelled = {f"configmaps/{name}/settings", f"secrets/{name}/password", f"namespaces/{name}"}
    assert velero.archived(f"{name}-a") == labelled
    volume = velero.client.get(VOLUME, name)
    assert volume["spec"]["persistentVolumeReclaimPolicy"] == "Retain"
    assert volume["metadata"]["annotations"]["lca.openshift.io/updated-reclaim-policy"] == "true"
    assert velero.client.list(DELETE_REQUEST, labels=f"{CLUSTER_ID_LABEL}={name}") == []


def test_error_of_any_call_is_shown_and_the_work_goes_on(velero: Any, kubeconfig: Path) -> None:
    for outage in outages():
        name = f"t-{uuid.uuid4().hex[:8]}"
        velero.put("Namespace", name)
        velero.put("ConfigMap", "settings", name)
        assert velero.backup(name, includedResources=["configmaps"])["phase"] == "Completed"
        label = f"v1/configmaps/{name}/settings"
        backup = make_backup(name, label=label, includedNamespaces=[name], includedResources=["configmaps"])
        seen = back_up_through(kubeconfig, outage, backup)
        assert velero.archived(name) == {f"configmaps/{name}/settings"}
        failures = [text for text in seen if "Failure occurred" in text]
        assert len(failures) == outage.is_over, seen
        assert all(text.startswith("Backing up Application Data: Failure occurred: ") for text in failures)
        assert all("lost the connection" in text for text in failures)


def back_up_through(kubeconfig: Path, outage: Outage, backup: Object) -> list[str]:
    """Back up until it is done; return what was shown meanwhile."""
    seen: list[str] = []

    def work(connect: Callable[[], Client]) -> None:
        operator = Operator(connect, cluster_id=backup["metadata"]["name"], retry_at_once=True, seen=seen)
        assert operator.back_up([backup]) == Done()

    live_through(kubeconfig, outage, work)
    return seen


def test_kill_while_the_causes_are_read_changes_nothing_in_the_end(
    velero: Any, operator: Operator, kubeconfig: Path, name: str, tmp_path: Path
) -> None:
    velero.faults.set("backup-fails", name)
    backup = make_backup(name, includedNamespaces=["default"])
    expected = operator.back_up([backup])

    def look(connect: Callable[[], Client]) -> None:
        Operator(connect, operator.cluster_id, evidence=tmp_path).look_at_backups([backup])

    for life in lives():
        live_through(kubeconfig, life, look)
        assert operator.look_at_backups([backup]) == expected
