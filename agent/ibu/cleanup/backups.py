"""This cluster's Backups and the volumes' reclaim policies (ibu-api.md 6.3, part 4; upgrade-and-oadp.md 12)."""

from __future__ import annotations

import logging

from agent.ibu.cleanup.parts import PartError
from agent.ibu.itineraries import StageContext
from agent.kube import Client, Kind, errors
from agent.velero.apply_label import LABEL, ApplyLabelError
from agent.velero.content import read_targets
from agent.velero.deletion import (
    BACKUP,
    CLUSTER_ID_LABEL,
    BackupName,
    DeletionError,
    find_undeleted,
    request_deletion,
)
from agent.velero.installation import is_oadp_installed
from seeds.cluster import CLUSTER_VERSION

logger = logging.getLogger(__name__)

PERSISTENT_VOLUME = Kind("", "v1", "PersistentVolume")
POLICY_ANNOTATION = "lca.openshift.io/updated-reclaim-policy"
_UNLABEL = [{"op": "remove", "path": f"/metadata/labels/{LABEL.replace('/', '~1')}"}]


def remove_backups(context: StageContext) -> str | None:
    """Let Velero delete the Backups that bear this cluster's ID; other clusters' stay."""
    client = context.ports.client
    try:
        if not is_oadp_installed(client) or not client.serves(BACKUP):
            return None
        cluster_id = client.get(CLUSTER_VERSION, "version")["spec"]["clusterID"]
        labels = {CLUSTER_ID_LABEL: cluster_id}
        backups = client.list(BACKUP, labels=f"{CLUSTER_ID_LABEL}={cluster_id}")
        for backup in backups:
            request_deletion(client, BackupName.of(backup), labels)
            _unlabel_targets(context, backup)
        remaining = find_undeleted(client, map(BackupName.of, backups), context.now())
    except (errors.ApiError, DeletionError) as error:
        raise PartError(f"failed to cleanup backups: {error}") from error
    return f"Velero to delete backups {', '.join(b.name for b in remaining)}" if remaining else None


def restore_reclaim_policies(context: StageContext) -> None:
    """Put volumes that were kept for the upgrade back to Delete, whether OADP is still there or not."""
    client = context.ports.client
    try:
        for volume in client.list(PERSISTENT_VOLUME):
            annotations = volume["metadata"].get("annotations") or {}
            if annotations.get(POLICY_ANNOTATION) == "true":
                volume["spec"]["persistentVolumeReclaimPolicy"] = "Delete"
                del annotations[POLICY_ANNOTATION]
                client.update(volume)
    except errors.ApiError as error:
        raise PartError(f"failed to restore persistentVolumeReclaimPolicy in PVs created by LVMS: {error}") from error


def _unlabel_targets(context: StageContext, backup: dict[str, object]) -> None:
    """Take the Backup's label off the objects it selected; what is gone or not ours to change is logged."""
    try:
        targets = read_targets(backup)
    except ApplyLabelError as error:
        logger.warning("backup %s: %s", BackupName.of(backup).name, error)
        return
    if not targets:
        return
    try:
        with context.ports.connect_admin() as admin:
            for target in targets:
                _unlabel(admin, target.path)
    except (errors.AccessError, errors.ApiError) as error:
        logger.warning("labels of backup %s stay on its objects: %s", BackupName.of(backup).name, error)


def _unlabel(admin: Client, path: str) -> None:
    try:
        admin.request("PATCH", path, body=_UNLABEL, content_type="application/json-patch+json")
    except (errors.NotFound, errors.Invalid):
        return  # the object or its label is gone
