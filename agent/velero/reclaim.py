"""Keeps LVM Storage volumes over an upgrade: their reclaim policy is Retain meanwhile (upgrade-and-oadp.md 6.5, 11.4).

Velero makes a volume without a snapshot anew, and empty, when its policy is Delete; with Retain it brings back the
object as it was, and with it the way to the content on the disk.
"""

from __future__ import annotations

from collections.abc import Callable

from agent.kube import Client, Object, errors
from agent.velero.lvms_pitfalls import PROVISIONER, PROVISIONER_ANNOTATION
from agent.velero.names import PERSISTENT_VOLUME

ANNOTATION = "lca.openshift.io/updated-reclaim-policy"
"""Remembers the policy from before. `true` stands for Delete: other builds of the operator know no other value."""
_FURTHER_READS = 4
_DELETE, _RETAIN = "Delete", "Retain"
_MARK = "true"
_MEANINGS = {_MARK: _DELETE, _DELETE: _DELETE, "Recycle": "Recycle", _RETAIN: _RETAIN}


class ReclaimError(Exception):
    """A volume could not be changed; the pass is to be repeated."""


def retain_volumes(client: Client) -> None:
    """Set Retain on every LVM Storage volume that would be deleted with its claim, and mark it. Raises ReclaimError."""
    prefix = "failed to patch LVMS PVs with Retain as persistentVolumeReclaimPolicy: "
    _change(client, prefix, _make_retaining)


def restore_reclaim_policies(client: Client) -> None:
    """Give every marked volume its policy back, and remove the mark. Raises ReclaimError."""
    prefix = "failed to restore persistentVolumeReclaimPolicy in PVs created by LVMS: "
    _change(client, prefix, _make_restoring)


def _change(client: Client, prefix: str, make_patch: Callable[[Object], Object | None]) -> None:
    """Patch the volumes for which there is a patch; all are tried."""
    problems = []
    try:
        volumes = client.list(PERSISTENT_VOLUME)
    except errors.Closed:
        raise
    except errors.ApiError as error:
        raise ReclaimError(f"{prefix}failed to list PersistentVolumes: {error}") from error
    for volume in volumes:
        try:
            _change_one(client, volume, make_patch)
        except errors.Closed:
            raise
        except errors.ApiError as error:
            problems.append(f"failed to update PersistentVolume {volume['metadata']['name']}: {error}")
    if problems:
        raise ReclaimError(prefix + "; ".join(problems))


def _change_one(client: Client, volume: Object, make_patch: Callable[[Object], Object | None]) -> None:
    """Patch the volume only as it was read: somebody else may have set the policy meanwhile, so it is read again."""
    for last in (*[False] * _FURTHER_READS, True):
        patch = make_patch(volume)
        if patch is None:
            return
        name = volume["metadata"]["name"]
        patch["metadata"]["resourceVersion"] = volume["metadata"]["resourceVersion"]
        try:
            client.patch_merge(PERSISTENT_VOLUME, name, patch)
        except errors.NotFound:
            return
        except errors.Conflict:
            if last:
                raise
            if (now := client.find(PERSISTENT_VOLUME, name)) is None:
                return
            volume = now
        else:
            return


def _make_retaining(volume: Object) -> Object | None:
    annotations = volume["metadata"].get("annotations") or {}
    if annotations.get(PROVISIONER_ANNOTATION) != PROVISIONER or _read_policy(volume) != _DELETE:
        return None
    return _make_patch(_RETAIN, _MARK)


def _make_restoring(volume: Object) -> Object | None:
    mark = (volume["metadata"].get("annotations") or {}).get(ANNOTATION)
    return _make_patch(_MEANINGS[mark], None) if mark in _MEANINGS else None


def _make_patch(policy: str, mark: str | None) -> Object:
    return {"metadata": {"annotations": {ANNOTATION: mark}}, "spec": {"persistentVolumeReclaimPolicy": policy}}


def _read_policy(volume: Object) -> str:
    return str((volume.get("spec") or {}).get("persistentVolumeReclaimPolicy", ""))
