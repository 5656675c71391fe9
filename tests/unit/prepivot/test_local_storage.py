"""LocalVolumes and their StorageClasses as manifests (upgrade-and-oadp.md 9.4)."""

from __future__ import annotations

import copy
from typing import Any

from agent.ibu.prepivot.local_storage import list_class_names, make_local_volume


def make_volume(*classes: str | None) -> dict[str, Any]:
    devices = [{"storageClassName": name} if name else {"devicePaths": []} for name in classes]
    return {"spec": {"storageClassDevices": devices}}


def test_each_class_is_named_once() -> None:
    assert list_class_names([make_volume("b", "a", "b"), make_volume(None), {}, make_volume("c")]) == ["b", "a", "c"]


def test_volume_loses_what_belongs_to_this_cluster_only() -> None:
    names = {"name": "disks", "namespace": "openshift-storage", "annotations": {"note": "y"}}
    given = {
        "uid": "u",
        "resourceVersion": "1",
        "generation": 2,
        "creationTimestamp": "2026-01-01T00:00:00Z",
        "managedFields": [],
        "ownerReferences": [{}],
        "finalizers": ["f"],
    }
    labels = {"lca.openshift.io/backup": "b", "keep": "x"}
    kind = {"apiVersion": "local.storage.openshift.io/v1", "kind": "LocalVolume", "spec": {"x": 1}}
    volume = {**kind, "metadata": {**names, **given, "labels": labels}, "status": {"phase": "y"}}
    before = copy.deepcopy(volume)
    assert make_local_volume(volume) == {**kind, "metadata": {**names, "labels": {"keep": "x"}}}
    assert volume == before


def test_volume_without_labels_stays_without() -> None:
    assert make_local_volume({"metadata": {"name": "x"}}) == {"metadata": {"name": "x"}}
