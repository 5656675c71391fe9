"""Application data in the new release: recorded runs with OADP. Velero is the test; the objects are real."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from agent.kube import Client, Kind
from tests.api.operator.pivot.cluster import CLUSTER_ID, list_conditions, make_object, put, remove
from tests.api.operator.pivot.node import NEW, OLD
from tests.api.operator.pivot.site import UPGRADED, Site
from tools.operator_process import read_conditions

ADP = "openshift-adp"
BACKUP = Kind("velero.io", "v1", "Backup")
RESTORE = Kind("velero.io", "v1", "Restore")
LOCATION = Kind("velero.io", "v1", "BackupStorageLocation")
DPA = Kind("oadp.openshift.io", "v1alpha1", "DataProtectionApplication")
VOLUME = Kind("", "v1", "PersistentVolume")
POLICY = "lca.openshift.io/updated-reclaim-policy"
RUNNING = "UpgradeInProgress=True/InProgress"
SPEC = {"configuration": {"velero": {"defaultPlugins": ["aws"]}}}
APPLICATION = make_object(
    DPA, "dpa1", namespace=ADP, spec=SPEC, status={"conditions": list_conditions(Reconciled="True")}
)
STORAGE = {"provider": "aws", "objectStorage": {"bucket": "b"}}


def make_backup(name: str, cluster: str = CLUSTER_ID) -> dict[str, Any]:
    labels = {"config.openshift.io/clusterID": cluster}
    spec = {"storageLocation": "default", "includedNamespaces": ["default"]}
    return make_object(
        BACKUP, name, namespace=ADP, metadata={"labels": labels}, spec=spec, status={"phase": "Completed"}
    )


def make_restore(name: str, backup: str) -> dict[str, Any]:
    return make_object(RESTORE, name, namespace=ADP, spec={"backupName": backup})


@pytest.fixture(scope="session")
def adp(client: Client, deployed: list[dict[str, Any]]) -> None:
    assert deployed
    client.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": ADP}})


@pytest.fixture
def oadp(client: Client, adp: None) -> Iterator[None]:
    """OADP is set up in the new release, and the bucket holds the Backups of this cluster."""
    objects = [
        APPLICATION,
        make_object(LOCATION, "default", namespace=ADP, spec=STORAGE, status={"phase": "Available"}),
        make_backup("b1"),
        make_backup("b2"),
    ]
    for obj in objects:
        put(client, obj)
    yield
    for obj in (*objects, *client.list(RESTORE, ADP)):
        remove(client, obj)


@pytest.fixture
def volume(client: Client) -> Iterator[str]:
    annotations = {"pv.kubernetes.io/provisioned-by": "topolvm.io", POLICY: "true"}
    spec = {
        "capacity": {"storage": "1Gi"},
        "accessModes": ["ReadWriteOnce"],
        "persistentVolumeReclaimPolicy": "Retain",
        "hostPath": {"path": "/x"},
    }
    body = make_object(VOLUME, "pv1", metadata={"annotations": annotations}, spec=spec)
    client.create(body)
    yield "pv1"
    client.patch_merge(VOLUME, "pv1", {"metadata": {"finalizers": None}})
    remove(client, body)


def hand_over(site: Site, *groups: list[dict[str, Any]]) -> None:
    """What the pre-pivot leaves of OADP."""
    site.prepare_pivot()
    for number, group in enumerate(groups, 1):
        for index, restore in enumerate(group, 1):
            name = f"{index}_{restore['metadata']['name']}_{ADP}.yaml"
            site.node.write(NEW, f"opt/OADP/veleroRestore/restore{number}/{name}", json.dumps(restore))
    site.node.write(NEW, "opt/OADP/dpa/dpa1.yaml", json.dumps(APPLICATION))
    site.node.write(NEW, "opt/OADP/secret/cloud-credentials.yaml", "{}")


@pytest.fixture
def play_velero(client: Client) -> Callable[..., None]:
    """Wait until a Restore exists, and give it a phase."""

    def play(name: str, phase: str, **status: Any) -> None:
        with client.watch(RESTORE, ADP, name=name, timeout_seconds=60) as watch:
            assert any(event.type == "ADDED" for event in watch)
        body = {"status": {"phase": phase, **status}}
        client.patch_merge(RESTORE, name, body, ADP, subresource="status" if has_status(client) else None)

    return play


def has_status(client: Client) -> bool:
    crd = client.get(Kind("apiextensions.k8s.io", "v1", "CustomResourceDefinition"), "restores.velero.io")
    return "status" in crd["spec"]["versions"][0].get("subresources", {})


@pytest.mark.usefixtures("oadp")
def test_post_oadp_002_restores_run_group_by_group_and_the_volumes_get_their_policy_back(
    site: Site, client: Client, volume: str, play_velero: Callable[..., None]
) -> None:
    hand_over(site, [make_restore("r1", "b1")], [make_restore("r2", "b2")])
    site.boot()
    site.wait_last(f"{RUNNING} Restore of Application Data is in progress")
    play_velero("r1", "Completed")
    play_velero("r2", "InProgress")
    assert client.get(VOLUME, volume)["spec"]["persistentVolumeReclaimPolicy"] == "Retain"
    play_velero("r2", "Completed")
    ready = time.monotonic()
    site.wait_conditions(*UPGRADED)
    assert time.monotonic() - ready < 5.0  # it is watched; a poll would need up to 30 s
    assert client.get(VOLUME, volume)["spec"]["persistentVolumeReclaimPolicy"] == "Delete"
    assert POLICY not in client.get(VOLUME, volume)["metadata"].get("annotations", {})
    assert not (site.node.var(NEW) / "opt/OADP").exists()


@pytest.mark.usefixtures("oadp")
def test_failed_restore_rolls_back_with_its_cause(site: Site, play_velero: Callable[..., None]) -> None:
    hand_over(site, [make_restore("r1", "b1")])
    site.boot()
    play_velero("r1", "FailedValidation", validationErrors=["the bucket is on fire"])
    failed = site.wait_last("UpgradeInProgress=False/Failed Rollback due to restore failure: Failed restore CRs: r1")
    assert "the bucket is on fire" in read_conditions(failed)[-1]
    site.wait_reboot()
    kept = site.node.var(OLD) / "lib/lca/workspace/oadp"
    assert any("the bucket is on fire" in file.read_text() for file in kept.iterdir())
    assert site.boot() == OLD
    back = site.wait_last("UpgradeInProgress=False/Failed Rollback due to restore failure: Failed restore CRs: r1")
    assert read_conditions(back) == read_conditions(failed)


@pytest.mark.usefixtures("oadp")
def test_post_oadp_006_backup_of_another_cluster_is_not_used(site: Site, client: Client) -> None:
    remove(client, make_backup("b1"))
    put(client, make_backup("b1", cluster="other"))
    hand_over(site, [make_restore("r1", "b1")])
    site.boot()
    waiting = site.wait_last(f"{RUNNING} Restore of Application Data is in progress")
    assert "other" in read_conditions(waiting)[-1]
    assert client.list(RESTORE, ADP) == []


@pytest.mark.usefixtures("oadp")
def test_unavailable_storage_location_is_waited_for(site: Site, client: Client) -> None:
    location = make_object(LOCATION, "default", namespace=ADP, spec=STORAGE, status={"phase": "Unavailable"})
    remove(client, location)
    put(client, location)
    hand_over(site)
    site.boot()
    site.wait_last(
        f"{RUNNING} Waiting for system to stabilize: one or more health checks failed: "
        "backupStorageLocation default not available"
    )
    remove(client, location)
    put(client, {**location, "status": {"phase": "Available"}})
    site.wait_conditions(*UPGRADED)
