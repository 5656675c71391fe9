"""This cluster's Backups and the volumes' reclaim policies (ibu-api.md 6.3, part 4; upgrade-and-oadp.md 12)."""

from __future__ import annotations

from functools import partial

from agent.ibu.cleanup.parts import PartError
from agent.ibu.itineraries import StageContext
from agent.kube import errors
from agent.velero import reclaim
from agent.velero.deletion import DeletionError, delete_own_backups, forget_requests
from agent.velero.installation import is_oadp_installed
from agent.velero.labelling import unlabel_targets
from agent.velero.messages import list_some
from agent.velero.names import BACKUP
from seeds.cluster import CLUSTER_VERSION


def remove_backups(context: StageContext) -> str | None:
    """Let Velero delete the Backups that bear this cluster's ID; other clusters' stay."""
    client = context.ports.client
    try:
        if not is_oadp_installed(client) or not client.serves(BACKUP):
            return None
        cluster_id = client.get(CLUSTER_VERSION, "version")["spec"]["clusterID"]
        unlabel = partial(unlabel_targets, context.ports.connect_admin)
        awaited = delete_own_backups(client, cluster_id, context.now(), unlabel)
    except (errors.ApiError, DeletionError) as error:
        raise PartError(f"failed to cleanup backups: {error}") from error
    if awaited:
        return f"Velero to delete backups {list_some(awaited)}"
    try:
        forget_requests(client, cluster_id)
    except errors.ApiError as error:
        raise PartError(f"failed to cleanup DeleteBackupRequest CRs: {error}") from error
    return None


def restore_reclaim_policies(context: StageContext) -> None:
    """Put volumes that were kept for the upgrade back to their policy, whether OADP is still there or not."""
    try:
        reclaim.restore_reclaim_policies(context.ports.client)
    except reclaim.ReclaimError as error:
        raise PartError(str(error)) from error
