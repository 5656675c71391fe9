"""The agent restores after a pivot: a cluster that knows neither Backups nor Restores, and a bucket that does."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from agent.kube import Client, Kind, Object
from agent.velero.handed_over import load_restores, save_restores
from agent.velero.names import BACKUP, RESTORE
from agent.workflow.outcome import Done, Wait
from sandbox.velero import OADP_NAMESPACE
from tests.flow.velero.mortal import Life, Outage, live_through, lives, outages
from tests.flow.velero.operator import Operator, list_download_requests, make_backup, make_restore, message_of, says

CONFIG_MAP = Kind("", "v1", "ConfigMap")
CLAIM = Kind("", "v1", "PersistentVolumeClaim")
SECRET = Kind("", "v1", "Secret")
IN_PROGRESS = "Restore of Application Data is in progress: "


def pivot(velero: Any, *namespaces: str) -> None:
    """Lose the applications and forget their Backups, which bear the same names; the bucket keeps them."""
    for namespace in namespaces:
        velero.delete(CONFIG_MAP, "settings", namespace)
        velero.client.delete(BACKUP, namespace, OADP_NAMESPACE)


def has_settings(velero: Any, namespace: str) -> bool:
    return velero.client.find(CONFIG_MAP, "settings", namespace) is not None


def test_application_comes_back_in_the_order_of_the_waves(
    velero: Any, operator: Operator, namespace: str, tmp_path: Path
) -> None:
    other = f"{namespace}-2"
    velero.put("Namespace", other)
    velero.put("ConfigMap", "settings", other)
    assert operator.back_up([make_backup(ns, includedNamespaces=[ns]) for ns in (namespace, other)]) == Done()
    save_restores(tmp_path / "veleroRestore", [make_restore(namespace, wave=10), make_restore(other, wave=2)])
    pivot(velero, namespace, other)
    operator.seen.clear()
    assert operator.restore(load_restores(tmp_path / "veleroRestore")) == Done()
    assert has_settings(velero, namespace)
    assert has_settings(velero, other)
    assert operator.seen[0].startswith(f"{IN_PROGRESS}wave 1/2, {other} ")
    first, second = velero.get("Restore", other)["status"], velero.get("Restore", namespace)["status"]
    assert first["completionTimestamp"] <= second["startTimestamp"]
    assert "labels" not in velero.get("Restore", other)["metadata"]


def test_nothing_to_restore_is_done(operator: Operator) -> None:
    assert operator.look_at_restores([]) == Done()


def test_restore_begins_when_velero_has_found_its_backup(velero: Any, operator: Operator, namespace: str) -> None:
    assert operator.back_up([make_backup(namespace, includedNamespaces=[namespace])]) == Done()
    pivot(velero, namespace)
    assert operator.restore([[make_restore(namespace)]]) == Done()
    assert has_settings(velero, namespace)


def test_restore_of_an_unknown_backup_waits_and_is_not_created(velero: Any, operator: Operator, name: str) -> None:
    outcome = operator.look_at_restores([[make_restore(name, "nowhere")]])
    text = f"{IN_PROGRESS}wave 1/1, {name} waits until Velero has found Backup nowhere in the bucket"
    assert outcome == Wait(text, timedelta(seconds=60))
    assert velero.client.find(RESTORE, name, OADP_NAMESPACE) is None


def test_backup_of_another_cluster_is_not_restored(velero: Any, operator: Operator, namespace: str) -> None:
    assert velero.backup(namespace, includedNamespaces=[namespace])["phase"] == "Completed"
    outcome = operator.look_at_restores([[make_restore(namespace)]])
    assert says(f"{namespace} waits: Backup {namespace} is of cluster unknown, not of this one (")(outcome)
    assert velero.client.find(RESTORE, namespace, OADP_NAMESPACE) is None


def test_restore_waits_for_the_storage(
    velero: Any, operator: Operator, namespace: str, request: pytest.FixtureRequest
) -> None:
    assert operator.back_up([make_backup(namespace, includedNamespaces=[namespace])]) == Done()
    request.getfixturevalue("store_down")
    outcome = operator.look_at_restores([[make_restore(namespace)]])
    assert says(f"{namespace} waits: backupStorageLocation dpa-1 not available: ", "Connection refused")(outcome)
    velero.store.start()
    assert operator.restore([[make_restore(namespace)]]) == Done()


def test_partly_failed_restore_tells_why_and_saves_it(
    velero: Any, operator: Operator, namespace: str, tmp_path: Path
) -> None:
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "2Gi"}}}
    velero.put("PersistentVolumeClaim", "big", namespace, spec=claim)
    assert operator.back_up([make_backup(namespace, includedNamespaces=[namespace])]) == Done()
    pivot(velero, namespace)
    velero.delete(CLAIM, "big", namespace)
    limit = {"type": "PersistentVolumeClaim", "max": {"storage": "1Gi"}}
    velero.put("LimitRange", "small", namespace, spec={"limits": [limit]})
    message = message_of(operator.restore([[make_restore(namespace)]]))
    assert message.startswith(
        f"Failed restore CRs: {namespace}\n  - {namespace}: PartiallyFailed: 1 error: "
        f"error restoring persistentvolumeclaims/{namespace}/big: "
    )
    assert "maximum storage usage per PersistentVolumeClaim is 1Gi" in message
    saved = (tmp_path / "oadp" / f"restore-{namespace}-report.txt").read_text()
    assert "maximum storage usage" in saved
    assert [notice.reason for notice in operator.notices] == ["RestoreFailed"]
    assert list_download_requests(velero, namespace) == []


def test_failed_restore_tells_its_reason(velero: Any, operator: Operator, namespace: str) -> None:
    assert operator.back_up([make_backup(namespace, includedNamespaces=[namespace])]) == Done()
    velero.faults.set("restore-fails", "*:Failed")
    message = message_of(operator.restore([[make_restore(namespace)]]))
    assert message.startswith(f"Failed restore CRs: {namespace}\n  - {namespace}: Failed: the fault restore-fails is")


def test_refused_restore_tells_every_reason_of_velero(velero: Any, operator: Operator, namespace: str) -> None:
    assert operator.back_up([make_backup(namespace, includedNamespaces=[namespace])]) == Done()
    restore = make_restore(namespace, includedResources=["nodes"], existingResourcePolicy="replace")
    message = message_of(operator.restore([[restore]]))
    assert f"  - {namespace}: FailedValidation: nodes are non-restorable resources; unexpected existing" in message


def test_restore_that_the_api_server_refuses_is_no_endless_retry(
    velero: Any, operator: Operator, namespace: str
) -> None:
    assert operator.back_up([make_backup(namespace, includedNamespaces=[namespace])]) == Done()
    message = message_of(operator.look_at_restores([[make_restore(namespace, restorePVs="yes")]]))
    assert message.startswith(f"Failed restore CRs: {namespace}\n  - {namespace}: refused by the API server: ")


def test_hanging_restore_shows_its_progress(velero: Any, operator: Operator, namespace: str) -> None:
    assert operator.back_up([make_backup(namespace, includedNamespaces=[namespace])]) == Done()
    velero.faults.set("restore-hangs")
    groups = [[make_restore(namespace)]]
    outcome = operator.restore(groups, says(f"{IN_PROGRESS}wave 1/1, {namespace} InProgress 2/4 items"))
    assert isinstance(outcome, Wait)
    assert outcome.after == timedelta(seconds=30)
    operator.delay = timedelta(minutes=10)
    assert says("2/4 items, for 10 min")(operator.look_at_restores(groups))
    velero.faults.clear()
    assert operator.restore(groups) == Done()


def test_kill_after_any_write_changes_nothing_in_the_end(velero: Any, kubeconfig: Path) -> None:
    for life in lives():
        restore_in_two_lives(velero, kubeconfig, life, f"t-{uuid.uuid4().hex[:8]}")


def restore_in_two_lives(velero: Any, kubeconfig: Path, life: Life, name: str) -> None:
    velero.put("Namespace", name)
    velero.put("ConfigMap", "settings", name)
    velero.put("Secret", "password", name)
    groups = [
        [make_restore(f"{name}-a", name, includedResources=["configmaps"])],
        [make_restore(f"{name}-b", name, includedResources=["secrets"])],
    ]
    with Operator(lambda: Client.connect(kubeconfig), cluster_id=name) as operator:
        assert operator.back_up([make_backup(name, includedNamespaces=[name])]) == Done()
        velero.delete(CONFIG_MAP, "settings", name)
        velero.delete(SECRET, "password", name)
        live_through(kubeconfig, life, lambda connect: Operator(connect, cluster_id=name).restore(groups))
        assert operator.restore(groups) == Done()
    assert has_settings(velero, name)
    assert velero.client.find(SECRET, "password", name)
    assert {velero.get("Restore", f"{name}-{part}")["status"]["phase"] for part in "ab"} == {"Completed"}


def test_error_of_any_call_is_shown_and_the_work_goes_on(
    velero: Any, operator: Operator, kubeconfig: Path, namespace: str
) -> None:
    assert operator.back_up([make_backup(namespace, includedNamespaces=[namespace])]) == Done()
    for outage in outages():
        name = f"{namespace}-{outage.calls}"
        seen = restore_through(kubeconfig, outage, operator.cluster_id, make_restore(name, namespace))
        assert velero.get("Restore", name)["status"]["phase"] == "Completed"
        failures = [text for text in seen if "Failure occurred" in text]
        assert len(failures) == outage.is_over, seen
        assert all(text.startswith("Restoring Application Data: Failure occurred: ") for text in failures)


def restore_through(kubeconfig: Path, outage: Outage, cluster_id: str, restore: Object) -> list[str]:
    """Restore until it is done; return what was shown meanwhile."""
    seen: list[str] = []

    def work(connect: Callable[[], Client]) -> None:
        operator = Operator(connect, cluster_id=cluster_id, retry_at_once=True, seen=seen)
        assert operator.restore([[restore]]) == Done()

    live_through(kubeconfig, outage, work)
    return seen
