"""What the stages do about Backups and volumes: Prep with stale ones, abort and finalize with ours (6.3, 12)."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from agent.ibu.cleanup.backups import remove_backups, restore_reclaim_policies
from agent.ibu.cleanup.parts import PartError
from agent.ibu.itineraries import StageContext
from agent.ibu.ports import ADMIN_KUBECONFIG, Ports
from agent.ibu.prep.oadp_check import await_stale_backups
from agent.kube import Client, Kind, errors
from agent.velero.content import Content
from agent.velero.deletion import DeletionError
from agent.velero.names import BACKUP, CLUSTER_ID_LABEL, DELETE_REQUEST
from agent.workflow.outcome import Done, Wait
from hostops.hostroot import HostRoot
from sandbox.cluster.content.kinds import expand_kind
from sandbox.velero import OADP_NAMESPACE
from tests.flow.velero.conftest import Cluster, is_established
from tests.flow.velero.operator import Operator, label_of, make_backup, says

CONFIG_MAP = Kind("", "v1", "ConfigMap")
VOLUME = Kind("", "v1", "PersistentVolume")
SERVICE_VERSION = Kind("operators.coreos.com", "v1alpha1", "ClusterServiceVersion")
CRD = Kind("apiextensions.k8s.io", "v1", "CustomResourceDefinition")


@pytest.fixture
def openshift(client: Client, operator: Operator) -> Iterator[None]:
    """The cluster tells its ID, and that OADP is installed."""
    groups = [
        ({"group": "config.openshift.io"}, {"kind": "ClusterVersion"}),
        (
            {"group": "operators.coreos.com", "version": "v1alpha1", "namespaced": True},
            {"kind": "ClusterServiceVersion"},
        ),
    ]
    cluster = Cluster(client)
    for group, entry in groups:
        crd = expand_kind(group, entry)
        try:
            client.create(crd)
        except errors.AlreadyExists:
            continue
        cluster.wait(CRD, crd["metadata"]["name"], None, is_established)
    cluster.put("ClusterVersion", "version", api="config.openshift.io/v1", spec={"clusterID": operator.cluster_id})
    cluster.put("ClusterServiceVersion", "oadp-operator.v1.4.0", OADP_NAMESPACE, api=SERVICE_VERSION.api_version)
    yield
    client.delete(Kind("config.openshift.io", "v1", "ClusterVersion"), "version")
    client.delete(SERVICE_VERSION, "oadp-operator.v1.4.0", OADP_NAMESPACE)


@pytest.fixture
def context(client: Client, operator: Operator, kubeconfig: Path, tmp_path: Path) -> StageContext:
    """The doors to the cluster, the node's administrator among them."""
    root = HostRoot(tmp_path / "host")
    root.path(ADMIN_KUBECONFIG).parent.mkdir(parents=True)
    shutil.copy(kubeconfig, root.path(ADMIN_KUBECONFIG))
    nothing = cast("Any", None)
    return StageContext(Ports(client, nothing, root, "ns", "pod", ""), nothing, nothing, nothing, operator.now)


def clean_up(operator: Operator, context: StageContext) -> None:
    def look() -> Done | Wait:
        awaited = remove_backups(context)
        return Wait(awaited, timedelta(seconds=5)) if awaited else Done()

    assert operator.drive(look) == Done()


@pytest.mark.usefixtures("openshift")
def test_cleanup_removes_backups_labels_and_requests(
    velero: Any, operator: Operator, context: StageContext, namespace: str
) -> None:
    assert operator.back_up([make_backup(namespace, label=f"v1/configmaps/{namespace}/settings")]) == Done()
    operator.seen.clear()
    clean_up(operator, context)
    assert operator.seen[0] == f"Velero to delete backups {namespace}"
    assert velero.client.find(BACKUP, namespace, OADP_NAMESPACE) is None
    assert label_of(velero, CONFIG_MAP, "settings", namespace) is None
    assert velero.client.list(DELETE_REQUEST, labels=f"{CLUSTER_ID_LABEL}={operator.cluster_id}") == []


@pytest.mark.usefixtures("openshift")
def test_cleanup_says_that_a_backup_still_runs(
    velero: Any, operator: Operator, context: StageContext, namespace: str
) -> None:
    velero.faults.set("backup-hangs", namespace)
    operator.back_up([make_backup(namespace, includedNamespaces=[namespace])], says("2/4 items"))
    awaited = remove_backups(context)
    assert awaited == f"Velero to delete backups {namespace} InProgress 2/4 items, deleted when it has ended"
    velero.faults.clear()
    clean_up(operator, context)


@pytest.mark.usefixtures("openshift")
def test_cleanup_fails_in_the_documented_words_when_velero_refuses(
    velero: Any, operator: Operator, context: StageContext, namespace: str, request: pytest.FixtureRequest
) -> None:
    assert operator.back_up([make_backup(namespace, includedNamespaces=[namespace])]) == Done()
    request.getfixturevalue("store_down")
    for _ in range(3):
        assert remove_backups(context)
        requests = velero.client.list(DELETE_REQUEST, labels=f"{CLUSTER_ID_LABEL}={operator.cluster_id}")
        newest = max(item["metadata"]["name"] for item in requests)
        velero.until_phase("DeleteBackupRequest", newest, "Processed")
        operator.delay += timedelta(seconds=31)
    with pytest.raises(PartError) as caught:
        remove_backups(context)
    assert str(caught.value) == (
        f"failed to cleanup backups: failed to delete backups: deleteBackupRequest {namespace} failed with errors: "
        "[cannot delete backup because backup storage location dpa-1 is currently in Unavailable state]"
    )
    velero.store.start()
    velero.until_phase("BackupStorageLocation", "dpa-1", "Available")
    clean_up(operator, context)


def test_cleanup_without_oadp_leaves_backups_and_restores_policies(
    velero: Any, operator: Operator, context: StageContext, name: str
) -> None:
    labels = {CLUSTER_ID_LABEL: operator.cluster_id}
    velero.create("Backup", name, labels=labels, includedNamespaces=["default"])
    spec = {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "hostPath": {"path": "/x"}}
    annotations = {"lca.openshift.io/updated-reclaim-policy": "true"}
    velero.put("PersistentVolume", name, spec={**spec, "storageClassName": "none"}, annotations=annotations)
    assert remove_backups(context) is None
    restore_reclaim_policies(context)
    assert velero.client.find(BACKUP, name, OADP_NAMESPACE)
    volume = velero.client.get(VOLUME, name)
    assert volume["spec"]["persistentVolumeReclaimPolicy"] == "Delete"
    assert annotations.keys().isdisjoint(volume["metadata"].get("annotations") or {})


@pytest.mark.usefixtures("openshift")
def test_prep_removes_every_backup_of_the_names_and_no_other(
    velero: Any, operator: Operator, context: StageContext, namespace: str
) -> None:
    labels = [{CLUSTER_ID_LABEL: "other"}, {CLUSTER_ID_LABEL: operator.cluster_id}, {"a": "b"}]
    names = [f"{namespace}-{number}" for number in range(3)]
    for name, label in zip(names, labels, strict=True):
        velero.create("Backup", name, labels=label, includedNamespaces=[namespace])
        velero.until_phase("Backup", name, "Completed")
    assert velero.backup(namespace, includedNamespaces=[namespace])["phase"] == "Completed"
    content = Content(tuple(map(make_backup, names)), ())

    def look() -> Done | Wait:
        awaited = await_stale_backups(context, content)
        return Wait(awaited, timedelta(seconds=5)) if awaited else Done()

    assert operator.drive(look) == Done()
    assert operator.seen[0] == ", ".join(names)
    assert [velero.client.find(BACKUP, name, OADP_NAMESPACE) for name in names] == [None, None, None]
    assert velero.get("Backup", namespace)


@pytest.mark.usefixtures("openshift")
def test_prep_fails_in_the_documented_words_when_velero_refuses_a_stale_backup(
    velero: Any, operator: Operator, context: StageContext, name: str, request: pytest.FixtureRequest
) -> None:
    velero.create("Backup", name, includedNamespaces=["default"])
    velero.until_phase("Backup", name, "Completed")
    request.getfixturevalue("store_down")
    content = Content((make_backup(name),), ())
    for _ in range(3):
        assert await_stale_backups(context, content)
        requests = velero.client.list(DELETE_REQUEST, labels=f"{CLUSTER_ID_LABEL}={operator.cluster_id}")
        newest = max(item["metadata"]["name"] for item in requests)
        velero.until_phase("DeleteBackupRequest", newest, "Processed")
        operator.delay += timedelta(seconds=31)
    told = (
        f"^Failed to cleanup stale Backups: failed to delete backups: deleteBackupRequest {name} failed with errors: "
    )
    with pytest.raises(DeletionError, match=told):
        await_stale_backups(context, content)
