"""Backups that bear the name of one of ours without being ours (upgrade-and-oadp.md 6.3, proposals 6 and 7).

Velero brings every backup that it finds in the bucket into the cluster: those of the cluster that was installed on this
hardware before, those of an earlier attempt, those of a cluster that shares bucket and prefix. Restoring one would
bring back somebody else's or old data. A Backup in whose middle the node lost its power is in the way as well: Velero
has failed it, and it is made again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from agent.kube import Client, Object
from agent.velero.content import get_name
from agent.velero.deletion import Deletion, key_of
from agent.velero.names import ATTEMPT_ANNOTATION, BACKUP, BOOT_ANNOTATION, CLUSTER_ID_LABEL, OADP_NAMESPACE
from agent.velero.notice import Notice, Report
from agent.velero.progress import read_status

_FOUND_AT_START = "during the server starting"
"""Velero's words for what it found in progress when it was started."""


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose a Backup is: this cluster's, and of which attempt (None: there is none yet, every Backup is older).

    `boot_id` is that of the node's present boot, "" where nothing is begun.
    """

    cluster_id: str
    attempt: str | None
    boot_id: str = ""

    def owns(self, backup: Mapping[str, object]) -> bool:
        """Tell whether this attempt made the Backup."""
        annotations = _read_metadata(backup, "annotations")
        made_by = annotations.get(ATTEMPT_ANNOTATION)
        is_ours = _read_metadata(backup, "labels").get(CLUSTER_ID_LABEL) == self.cluster_id
        return is_ours and made_by is not None and made_by == self.attempt

    def has_lost(self, backup: Mapping[str, object]) -> bool:
        """Tell whether Velero has failed a Backup of this attempt because the node was booted anew in the middle of it.

        Without a new boot Velero itself does not survive the Backup, and would not survive the next one.
        """
        begun_in = _read_metadata(backup, "annotations").get(BOOT_ANNOTATION)
        reason = str(read_status(backup).get("failureReason") or "")
        return self.owns(backup) and begun_in not in (None, "", self.boot_id) and _FOUND_AT_START in reason

    def mark(self, backup: Object) -> Object:
        """Return the Backup with what says that this attempt made it, and in which boot."""
        metadata = backup["metadata"]
        labels = {**(metadata.get("labels") or {}), CLUSTER_ID_LABEL: self.cluster_id}
        annotations = {**(metadata.get("annotations") or {}), ATTEMPT_ANNOTATION: self.attempt or ""}
        if self.boot_id:
            annotations[BOOT_ANNOTATION] = self.boot_id
        return {**backup, "metadata": {**metadata, "labels": labels, "annotations": annotations}}


def list_live_backups(client: Client) -> dict[tuple[str, str], Object]:
    """Return all Backups of OADP's namespace by namespace and name. Raises ApiError."""
    return {key_of(backup): backup for backup in client.list(BACKUP, OADP_NAMESPACE)}


def find_stale(live: Mapping[tuple[str, str], Object], wanted: Iterable[Object], owner: Owner) -> list[Object]:
    """Return the live Backups that stand in the way of the wanted ones, in their order. Pure."""
    named = (live.get(key_of(backup)) for backup in wanted)
    return [backup for backup in named if backup is not None and (not owner.owns(backup) or owner.has_lost(backup))]


def delete_stale(client: Client, stale: Sequence[Object], owner: Owner, now: datetime, report: Report) -> list[str]:
    """Let Velero delete stale Backups; another cluster's are reported, since it may still be alive.

    Returns what is being waited for. Raises DeletionError and ApiError.
    """

    def warn(backup: Object) -> None:
        if owner.has_lost(backup):
            interrupted = f"Backup {get_name(backup)} was interrupted by a reboot of the node, and is made again"
            report(Notice("BackupRepeated", interrupted))
        elif text := _describe_foreign(backup, owner):
            report(Notice("StaleBackupDeleted", text))

    return Deletion(client, owner.cluster_id, now, warn).delete(stale)


def _describe_foreign(backup: Object, owner: Owner) -> str | None:
    cluster_id = _read_metadata(backup, "labels").get(CLUSTER_ID_LABEL)
    if cluster_id == owner.cluster_id:
        return None
    location = (backup.get("spec") or {}).get("storageLocation") or "unknown"
    whose = f"of cluster {cluster_id}" if cluster_id else "that no upgrade has made"
    return (
        f"Backup {get_name(backup)} {whose} in storage location {location} is deleted, since a Backup of this upgrade "
        "has the same name. If the other one is still in use, give each cluster its own prefix in the bucket"
    )


def _read_metadata(backup: Mapping[str, object], key: str) -> Mapping[str, str]:
    metadata = backup.get("metadata")
    found = metadata.get(key) if isinstance(metadata, dict) else None
    return found or {}
