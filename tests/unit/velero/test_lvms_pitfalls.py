"""LVM Storage pitfalls: the documented pair of CRs is silent, every missing field is named (upgrade-and-oadp.md 13)."""

import copy
from typing import Any

import pytest

from agent.velero.lvms_pitfalls import ClaimedVolume, find_pitfalls, list_claimed_volumes

VOLUME = ClaimedVolume("pvc-1", "test", "db", {"app": "db"})
BACKUP: dict[str, Any] = {
    "metadata": {"name": "small-app"},
    "spec": {
        "includedNamespaces": ["test"],
        "includedNamespaceScopedResources": ["persistentvolumeclaims", "deployments"],
        "includedClusterScopedResources": ["persistentVolumes", "volumesnapshotcontents", "logicalvolumes.topolvm.io"],
    },
}
RESTORE: dict[str, Any] = {
    "metadata": {"name": "small-app-restore"},
    "spec": {
        "backupName": "small-app",
        "restorePVs": True,
        "restoreStatus": {"includedResources": ["logicalvolumes"]},
    },
}


def change(obj: dict[str, Any], **spec: Any) -> dict[str, Any]:
    result = copy.deepcopy(obj)
    result["spec"] |= spec
    result["spec"] = {k: v for k, v in result["spec"].items() if v is not None}
    return result


OLD_STYLE = change(
    BACKUP,
    includedNamespaceScopedResources=None,
    includedClusterScopedResources=None,
    includeClusterResources=True,
)


@pytest.mark.parametrize(
    ("backup", "restore"),
    [
        pytest.param(BACKUP, RESTORE, id="documented"),
        pytest.param(change(BACKUP, includedClusterScopedResources=["*"]), RESTORE, id="everything"),
        pytest.param(change(BACKUP, includedClusterScopedResources=["pv", "LogicalVolume"]), RESTORE, id="short-names"),
        pytest.param(OLD_STYLE, RESTORE, id="old-filters"),
        pytest.param(BACKUP, change(RESTORE, restoreStatus={"includedResources": []}), id="status-of-everything"),
    ],
)
def test_find_pitfalls_complete_pair_is_silent(backup: dict[str, Any], restore: dict[str, Any]) -> None:
    assert find_pitfalls([VOLUME], [backup], [restore]) == []


@pytest.mark.parametrize(
    ("backup", "remedy"),
    [
        pytest.param(
            change(BACKUP, includedClusterScopedResources=["persistentVolumes"]),
            "add logicalvolumes.topolvm.io to spec.includedClusterScopedResources",
            id="logicalvolumes",
        ),
        pytest.param(
            change(BACKUP, includedClusterScopedResources=["logicalvolumes"]),
            "add persistentVolumes to spec.includedClusterScopedResources",
            id="persistentvolumes",
        ),
        pytest.param(
            change(BACKUP, includedClusterScopedResources=None),
            "add logicalvolumes.topolvm.io to spec.includedClusterScopedResources",
            id="volumes-are-related-but-logicalvolumes-not",
        ),
        pytest.param(
            change(OLD_STYLE, includeClusterResources=None),
            "set spec.includeClusterResources: true so that logicalvolumes.topolvm.io are saved",
            id="old-filters-related-only",
        ),
    ],
)
def test_find_pitfalls_incomplete_backup_names_the_field(backup: dict[str, Any], remedy: str) -> None:
    text = f"Backup[small-app] - content of PV pvc-1 (PVC test/db) will not be restored: {remedy}"
    assert find_pitfalls([VOLUME], [backup], [RESTORE]) == [text]


@pytest.mark.parametrize(
    ("restore", "remedy"),
    [
        (change(RESTORE, restorePVs=None), "add restorePVs: true to spec"),
        (change(RESTORE, restoreStatus=None), "add restoreStatus.includedResources: [logicalvolumes] to spec"),
        (change(RESTORE, excludedResources=["pv"]), "let persistentVolumes through the resource filters of spec"),
    ],
    ids=["restorePVs", "restoreStatus", "filtered"],
)
def test_find_pitfalls_incomplete_restore_names_the_field(restore: dict[str, Any], remedy: str) -> None:
    text = f"Restore[small-app-restore] - content of PV pvc-1 (PVC test/db) will not be restored: {remedy}"
    assert find_pitfalls([VOLUME], [BACKUP], [restore]) == [text]


@pytest.mark.parametrize(
    "backup",
    [
        change(BACKUP, includedNamespaces=["other"]),
        change(BACKUP, includedNamespaceScopedResources=["deployments"]),
        change(BACKUP, labelSelector={"matchLabels": {"app": "web"}}),
        change(BACKUP, labelSelector={"matchExpressions": [{"key": "app", "operator": "DoesNotExist"}]}),
    ],
    ids=["namespace", "resource", "label", "expression"],
)
def test_find_pitfalls_volume_in_no_backup_is_reported(backup: dict[str, Any]) -> None:
    [warning] = find_pitfalls([VOLUME], [backup], [RESTORE])
    assert warning.startswith("PV pvc-1 (PVC test/db) - no Backup saves its PersistentVolumeClaim")


def test_find_pitfalls_many_volumes_are_counted_not_listed() -> None:
    volumes = [ClaimedVolume(f"pvc-{i}", "test", f"c{i}") for i in range(100)]
    [warning] = find_pitfalls(volumes, [], [])
    assert warning.startswith("PV pvc-0 (PVC test/c0), PV pvc-1 (PVC test/c1), PV pvc-2 (PVC test/c2) and 97 more - ")


def test_list_claimed_volumes_takes_bound_topolvm_ones_with_their_labels() -> None:
    def make_volume(name: str, provisioner: str, *, bound: bool = True) -> dict[str, Any]:
        spec = {"claimRef": {"namespace": "test", "name": "db"}} if bound else {}
        return {
            "metadata": {"name": name, "annotations": {"pv.kubernetes.io/provisioned-by": provisioner}},
            "spec": spec,
        }

    volumes = [make_volume("pvc-1", "topolvm.io"), make_volume("a", "nfs"), make_volume("b", "topolvm.io", bound=False)]
    claims = [{"metadata": {"namespace": "test", "name": "db", "labels": {"app": "db"}}}]
    assert list_claimed_volumes(volumes, claims) == [VOLUME]


@pytest.mark.parametrize(
    ("items", "complete"),
    [
        ("v1/persistentvolumeclaims/test/db,topolvm.io/v1/logicalvolumes/pvc-1", True),
        ("v1/persistentvolumeclaims/test/db", False),
    ],
)
def test_find_pitfalls_apply_label_must_name_the_logical_volume(items: str, complete: bool) -> None:
    backup = copy.deepcopy(BACKUP)
    backup["metadata"]["annotations"] = {"lca.openshift.io/apply-label": items}
    warnings = find_pitfalls([VOLUME], [backup], [RESTORE])
    assert [w.rpartition(": ")[2] for w in warnings] == (
        [] if complete else ["add topolvm.io/v1/logicalvolumes/pvc-1 to annotation lca.openshift.io/apply-label"]
    )
