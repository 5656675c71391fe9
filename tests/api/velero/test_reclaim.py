"""Reclaim policies of LVM Storage volumes (upgrade-and-oadp.md 6.5, 11.4, proposal 13)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from agent.kube import Client, errors
from agent.velero.names import PERSISTENT_VOLUME
from agent.velero.reclaim import ReclaimError, restore_reclaim_policies, retain_volumes

MARK = "lca.openshift.io/updated-reclaim-policy"
TOPOLVM = {"pv.kubernetes.io/provisioned-by": "topolvm.io"}


class Volume:
    def __init__(self, client: Client, name: str) -> None:
        self.client, self.name = client, name

    def make(self, policy: str, annotations: dict[str, str] | None) -> None:
        spec = {
            "capacity": {"storage": "1Gi"},
            "accessModes": ["ReadWriteOnce"],
            "persistentVolumeReclaimPolicy": policy,
            "hostPath": {"path": "/nowhere"},
        }
        metadata = {"name": self.name, **({"annotations": annotations} if annotations else {})}
        self.client.create({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": metadata, "spec": spec})

    def read(self) -> tuple[str, Any]:
        volume = self.client.get(PERSISTENT_VOLUME, self.name)
        annotations = volume["metadata"].get("annotations") or {}
        return volume["spec"]["persistentVolumeReclaimPolicy"], annotations.get(MARK)


@pytest.fixture
def volume(client: Client, name: str) -> Iterator[Volume]:
    yield Volume(client, name)
    client.patch_merge(PERSISTENT_VOLUME, name, {"metadata": {"finalizers": None}})
    client.delete(PERSISTENT_VOLUME, name)


@pytest.mark.parametrize(
    ("policy", "annotations", "after"),
    [
        ("Delete", TOPOLVM, ("Retain", "true")),
        ("Retain", TOPOLVM, ("Retain", None)),
        ("Recycle", TOPOLVM, ("Recycle", None)),
        ("Delete", {"pv.kubernetes.io/provisioned-by": "other"}, ("Delete", None)),
        ("Delete", None, ("Delete", None)),
    ],
    ids=["delete", "retain", "recycle", "other provisioner", "no annotations"],
)
def test_retain_volumes_changes_only_what_would_be_deleted(
    volume: Volume, policy: str, annotations: dict[str, str] | None, after: tuple[str, str | None]
) -> None:
    volume.make(policy, annotations)
    for _ in range(2):
        retain_volumes(volume.client)
    assert volume.read() == after


@pytest.mark.parametrize(
    ("mark", "after"),
    [
        ("true", ("Delete", None)),
        ("Delete", ("Delete", None)),
        ("Recycle", ("Recycle", None)),
        ("Retain", ("Retain", None)),
        ("false", ("Retain", "false")),
    ],
)
def test_restore_reclaim_policies_gives_back_what_the_mark_says(
    volume: Volume, mark: str, after: tuple[str, str | None]
) -> None:
    volume.make("Retain", {**TOPOLVM, MARK: mark})
    for _ in range(2):
        restore_reclaim_policies(volume.client)
    assert volume.read() == after


def test_policies_that_somebody_else_changes_meanwhile_are_looked_at_again(
    volume: Volume, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    volume.make("Delete", TOPOLVM)
    seen = client.list(PERSISTENT_VOLUME)
    client.patch_merge(PERSISTENT_VOLUME, volume.name, {"spec": {"persistentVolumeReclaimPolicy": "Retain"}})
    monkeypatch.setattr(client, "list", lambda _: seen)
    retain_volumes(client)
    assert volume.read() == ("Retain", None)


def test_change_beside_a_foreign_one_is_made_all_the_same(
    volume: Volume, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    volume.make("Retain", {**TOPOLVM, MARK: "true"})
    seen = client.list(PERSISTENT_VOLUME)
    client.patch_merge(PERSISTENT_VOLUME, volume.name, {"metadata": {"labels": {"mine": "x"}}})
    monkeypatch.setattr(client, "list", lambda _: seen)
    restore_reclaim_policies(client)
    assert volume.read() == ("Delete", None)


def test_volume_that_never_stands_still_is_an_error(
    volume: Volume, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    volume.make("Delete", TOPOLVM)
    (seen,) = [each for each in client.list(PERSISTENT_VOLUME) if each["metadata"]["name"] == volume.name]
    client.patch_merge(PERSISTENT_VOLUME, volume.name, {"metadata": {"labels": {"mine": "x"}}})
    monkeypatch.setattr(client, "list", lambda _: [seen])
    monkeypatch.setattr(client, "find", lambda *_: seen)
    with pytest.raises(ReclaimError) as caught:
        retain_volumes(client)
    assert str(caught.value).startswith(
        "failed to patch LVMS PVs with Retain as persistentVolumeReclaimPolicy: "
        f"failed to update PersistentVolume {volume.name}: Operation cannot be fulfilled"
    )
    assert volume.read() == ("Delete", None)


def test_server_that_does_not_answer_is_an_error_with_the_documented_beginning(nowhere: Client) -> None:
    beginning = "^failed to restore persistentVolumeReclaimPolicy in PVs created by LVMS: failed to list Persistent"
    with pytest.raises(ReclaimError, match=beginning) as caught:
        restore_reclaim_policies(nowhere)
    assert isinstance(caught.value.__cause__, errors.NotConnected)
