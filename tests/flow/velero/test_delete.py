"""The agent lets Velero delete Backups: stale ones before an upgrade, its own ones after it."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from agent.kube import Client, Kind
from agent.velero.deletion import DeletionError, forget_requests
from agent.velero.names import ATTEMPT_ANNOTATION, BACKUP, CLUSTER_ID_LABEL, DELETE_REQUEST
from agent.workflow.outcome import Done
from sandbox.velero import OADP_NAMESPACE
from tests.flow.velero.mortal import Life, live_through, lives
from tests.flow.velero.operator import Operator, label_of, make_backup, message_of, says

CONFIG_MAP = Kind("", "v1", "ConfigMap")
STALE = "Backing up Application Data: waiting for Velero to delete stale Backups "


def list_requests(velero: Any, operator: Operator) -> list[Any]:
    requests: list[Any] = velero.client.list(DELETE_REQUEST, labels=f"{CLUSTER_ID_LABEL}={operator.cluster_id}")
    return requests


def make_own(velero: Any, operator: Operator, name: str, *namespaces: str, **annotations: str) -> None:
    """A complete Backup of this cluster."""
    labels = {CLUSTER_ID_LABEL: operator.cluster_id}
    velero.create("Backup", name, labels=labels, annotations=annotations, includedNamespaces=list(namespaces) or [name])
    velero.until("Backup", name, lambda obj: (obj.get("status") or {}).get("completionTimestamp"))


def put_off(velero: Any, operator: Operator, tries: int) -> None:
    """Have `tries` requests refused, each at its time."""
    for number in range(tries):
        operator.delay = timedelta(seconds=31 * number)
        operator.delete_own()
        name = list_requests(velero, operator)[-1]["metadata"]["name"]
        velero.until("DeleteBackupRequest", name, lambda obj: (obj.get("status") or {}).get("errors"))
        operator.delay = timedelta(seconds=31 * (number + 1))


@pytest.mark.parametrize(
    ("labels", "annotations", "warning"),
    [
        ({CLUSTER_ID_LABEL: "other"}, {}, "of cluster other in storage location dpa-1 is deleted"),
        ({"a": "b"}, {}, "that no upgrade has made in storage location dpa-1 is deleted"),
        ({CLUSTER_ID_LABEL: "{own}"}, {ATTEMPT_ANNOTATION: "an earlier attempt"}, None),
        ({CLUSTER_ID_LABEL: "{own}"}, {}, None),
    ],
    ids=["other cluster", "user", "earlier attempt", "no attempt"],
)
def test_stale_backup_is_deleted_and_made_anew(
    velero: Any, operator: Operator, namespace: str, labels: Any, annotations: Any, warning: str | None
) -> None:
    labels = {key: value.format(own=operator.cluster_id) for key, value in labels.items()}
    velero.create("Backup", namespace, labels=labels, annotations=annotations, includedNamespaces=[namespace])
    old = velero.until_phase("Backup", namespace, "Completed")
    velero.client.patch_merge(CONFIG_MAP, "settings", {"data": {"colour": "new"}}, namespace)
    assert operator.back_up([make_backup(namespace, includedNamespaces=[namespace])]) == Done()
    new = velero.get("Backup", namespace)
    assert new["metadata"]["uid"] != old["metadata"]["uid"]
    assert new["metadata"]["annotations"][ATTEMPT_ANNOTATION] == operator.attempt
    assert operator.seen[0] == f"{STALE}{namespace}"
    assert [notice.reason for notice in operator.notices] == (["StaleBackupDeleted"] if warning else [])
    assert not warning or operator.notices[0].text.startswith(f"Backup {namespace} {warning}")


def test_backup_of_this_attempt_is_not_made_again(velero: Any, operator: Operator, namespace: str) -> None:
    backup = make_backup(namespace, includedNamespaces=[namespace])
    assert operator.back_up([backup]) == Done()
    made = velero.get("Backup", namespace)["metadata"]["uid"]
    assert operator.look_at_backups([backup]) == Done()
    assert velero.get("Backup", namespace)["metadata"]["uid"] == made


def test_stale_backups_of_later_groups_go_before_the_first_group_starts(
    velero: Any, operator: Operator, namespace: str
) -> None:
    assert velero.backup(f"{namespace}-b", includedNamespaces=[namespace])["phase"] == "Completed"
    backups = [make_backup(f"{namespace}-{part}", wave) for wave, part in enumerate("ab")]
    assert says(f"{STALE}{namespace}-b")(operator.look_at_backups(backups))
    assert velero.client.find(BACKUP, f"{namespace}-a", OADP_NAMESPACE) is None


def test_stale_backup_that_can_not_be_deleted_fails_after_three_tries(
    velero: Any, operator: Operator, name: str, store_down: None
) -> None:
    spec = {"includedNamespaces": ["default"], "storageLocation": "dpa-1"}
    created = velero.create("Backup", name, labels={CLUSTER_ID_LABEL: "other"}, **spec)
    velero.until_phase("Backup", name, "FailedValidation")
    velero.client.patch_merge(BACKUP, name, {"status": {"phase": "Completed"}}, OADP_NAMESPACE)
    for number in (1, 2, 3):
        operator.delay = timedelta(seconds=31 * (number - 1))
        assert says(f"{STALE}{name}")(operator.look_at_backups([make_backup(name)]))
        velero.until_phase("DeleteBackupRequest", f"{name}-{created['metadata']['uid'][:8]}-{number}", "Processed")
    reason = "cannot delete backup because backup storage location dpa-1 is currently in Unavailable state"
    operator.delay -= timedelta(seconds=10)
    failed = message_of(operator.look_at_backups([make_backup(name)]))
    assert failed == (
        "error while handling backup: failed to cleanup stale Backups: failed to delete backups: "
        f"deleteBackupRequest {name} failed with errors: [{reason}]"
    )
    assert list_requests(velero, operator) == [], "the next attempt begins anew"


def test_refusal_is_shown_until_the_next_try(velero: Any, operator: Operator, name: str, store_down: None) -> None:
    velero.create("Backup", name, labels={CLUSTER_ID_LABEL: operator.cluster_id}, includedNamespaces=["default"])
    velero.until_phase("Backup", name, "FailedValidation")
    velero.client.patch_merge(BACKUP, name, {"status": {"phase": "Failed"}}, OADP_NAMESPACE)
    put_off(velero, operator, 1)
    operator.delay = timedelta(0)
    [awaited] = operator.delete_own()
    assert awaited.startswith(f"{name} (refused, asked again soon: cannot delete backup because backup storage")


def test_unanswered_request_is_waited_for_five_minutes(client: Client, oadp: Any, kubeconfig: Path, name: str) -> None:
    """Velero does not run here."""
    with Operator(lambda: Client.connect(kubeconfig), cluster_id=name) as operator:
        backup = operator.look_at_backups([make_backup(name)])
        assert says(f"{name} not started yet")(backup)
        assert operator.delete_own() == [name]
        operator.delay = timedelta(minutes=4)
        assert operator.delete_own() == [name]
        operator.delay = timedelta(minutes=6)
        with pytest.raises(DeletionError, match="^failed to delete backups: context deadline exceeded .*is open since"):
            operator.delete_own()
        [request] = client.list(DELETE_REQUEST, labels=f"{CLUSTER_ID_LABEL}={name}")
        client.delete(DELETE_REQUEST, request["metadata"]["name"], OADP_NAMESPACE)
        client.delete(BACKUP, name, OADP_NAMESPACE)


def test_own_backups_go_with_files_labels_and_requests_and_others_stay(
    velero: Any, operator: Operator, namespace: str
) -> None:
    assert operator.back_up([make_backup(namespace, label=f"v1/configmaps/{namespace}/settings")]) == Done()
    assert velero.backup(f"{namespace}-other", includedNamespaces=[namespace])["phase"] == "Completed"
    assert label_of(velero, CONFIG_MAP, "settings", namespace) == namespace
    operator.clean_up()
    assert velero.client.find(BACKUP, namespace, OADP_NAMESPACE) is None
    assert velero.keys(f"backups/{namespace}/") == []
    assert label_of(velero, CONFIG_MAP, "settings", namespace) is None
    assert list_requests(velero, operator) == []
    assert velero.get("Backup", f"{namespace}-other")["status"]["phase"] == "Completed"


def test_own_backup_whose_labelled_objects_are_gone_is_deleted_all_the_same(
    velero: Any, operator: Operator, namespace: str
) -> None:
    targets = [f"v1/configmaps/{namespace}/none", "nosuch/v1/things/x", "broken"]
    make_own(velero, operator, namespace, **{"lca.openshift.io/apply-label": ",".join(targets[:2])})
    make_own(velero, operator, f"{namespace}-2", namespace, **{"lca.openshift.io/apply-label": targets[2]})
    operator.clean_up()
    assert velero.client.list(BACKUP, labels=f"{CLUSTER_ID_LABEL}={operator.cluster_id}") == []


def test_running_backup_is_deleted_when_it_has_ended(velero: Any, operator: Operator, namespace: str) -> None:
    velero.faults.set("backup-hangs", namespace)
    operator.back_up([make_backup(namespace, includedNamespaces=[namespace])], says("2/4 items"))
    assert operator.delete_own() == [f"{namespace} InProgress 2/4 items, deleted when it has ended"]
    assert list_requests(velero, operator) == [], "Velero would refuse it"
    velero.faults.clear()
    operator.clean_up()
    assert velero.client.find(BACKUP, namespace, OADP_NAMESPACE) is None
    assert velero.keys(f"backups/{namespace}/") == []


def test_running_backup_that_never_ends_is_an_error_after_its_limit(
    velero: Any, operator: Operator, namespace: str
) -> None:
    velero.faults.set("backup-hangs", namespace)
    operator.back_up([make_backup(namespace, includedNamespaces=[namespace])], says("2/4 items"))
    operator.delete_own()
    operator.delay = timedelta(hours=3)
    with pytest.raises(DeletionError, match="^failed to delete backups: backup is still in progress: .*2/4 items"):
        operator.delete_own()


def test_request_that_met_the_running_backup_is_sent_again(velero: Any, operator: Operator, namespace: str) -> None:
    velero.faults.set("backup-hangs", namespace)
    operator.back_up([make_backup(namespace, includedNamespaces=[namespace])], says("2/4 items"))
    labels = {CLUSTER_ID_LABEL: operator.cluster_id}
    velero.create("DeleteBackupRequest", f"{namespace}-early", labels=labels, backupName=namespace)
    velero.until_phase("DeleteBackupRequest", f"{namespace}-early", "Processed")
    velero.faults.clear()
    operator.delay = timedelta(seconds=31)
    operator.clean_up()
    assert velero.client.find(BACKUP, namespace, OADP_NAMESPACE) is None
    assert list_requests(velero, operator) == []


def test_request_refused_after_the_end_is_not_repeated_at_once(
    client: Client, oadp: Any, kubeconfig: Path, name: str
) -> None:
    """Velero, played by the test, takes a Backup that has ended for one that runs."""
    with Operator(lambda: Client.connect(kubeconfig), cluster_id=name) as operator:
        operator.look_at_backups([make_backup(name)])
        ended = {"phase": "Failed", "completionTimestamp": "2026-01-01T00:00:00Z"}
        client.patch_merge(BACKUP, name, {"status": ended}, OADP_NAMESPACE)
        operator.delete_own()
        [request] = client.list(DELETE_REQUEST, labels=f"{CLUSTER_ID_LABEL}={name}")
        refused = {"phase": "Processed", "errors": ["backup is still in progress"]}
        client.patch_merge(DELETE_REQUEST, request["metadata"]["name"], {"status": refused}, OADP_NAMESPACE)
        awaited = f"{name} (refused, asked again soon: backup is still in progress)"
        assert [operator.delete_own(), operator.delete_own()] == [[awaited], [awaited]]
        operator.delay = timedelta(seconds=31)
        assert operator.delete_own() == [name]
        assert len(client.list(DELETE_REQUEST, labels=f"{CLUSTER_ID_LABEL}={name}")) == 2
        client.delete(BACKUP, name, OADP_NAMESPACE)
        forget_requests(client, name)


def test_backup_that_never_began_goes_without_touching_the_store(velero: Any, operator: Operator, name: str) -> None:
    """Its name may be that of another cluster's backup in a location that this one can not see yet."""
    velero.create("Backup", name, labels={CLUSTER_ID_LABEL: operator.cluster_id}, storageLocation="elsewhere")
    velero.until_phase("Backup", name, "FailedValidation")
    operator.clean_up()
    assert velero.client.find(BACKUP, name, OADP_NAMESPACE) is None


def test_request_of_somebody_else_counts(velero: Any, operator: Operator, name: str, kubeconfig: Path) -> None:
    """Named as another build of the operator names it."""
    operator.back_up([make_backup(name, includedNamespaces=["default"])])
    velero.create("DeleteBackupRequest", name, backupName=name)
    operator.delete_own()
    assert len(list_requests(velero, operator)) <= 1
    operator.clean_up()
    assert velero.client.find(BACKUP, name, OADP_NAMESPACE) is None


def test_kill_after_any_write_of_the_cleanup_changes_nothing_in_the_end(velero: Any, kubeconfig: Path) -> None:
    for life in lives():
        clean_up_in_two_lives(velero, kubeconfig, life, f"t-{uuid.uuid4().hex[:8]}")


def clean_up_in_two_lives(velero: Any, kubeconfig: Path, life: Life, name: str) -> None:
    velero.put("Namespace", name)
    velero.put("ConfigMap", "settings", name)
    backups = [
        make_backup(f"{name}-a", label=f"v1/configmaps/{name}/settings"),
        make_backup(f"{name}-b", includedNamespaces=[name]),
    ]

    def clean_up(connect: Callable[[], Client]) -> None:
        Operator(connect, cluster_id=name).clean_up()

    with Operator(lambda: Client.connect(kubeconfig), cluster_id=name) as operator:
        assert operator.back_up(backups) == Done()
        live_through(kubeconfig, life, clean_up)
        operator.clean_up()
        assert list_requests(velero, operator) == []
    assert velero.client.list(BACKUP, labels=f"{CLUSTER_ID_LABEL}={name}") == []
    assert label_of(velero, CONFIG_MAP, "settings", name) is None
