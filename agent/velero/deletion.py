"""Deletes Backups by requests to Velero, so that the object store is cleaned too (upgrade-and-oadp.md 6.3)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from agent.kube import Client, Kind, Object, errors

BACKUP = Kind("velero.io", "v1", "Backup")
DELETE_REQUEST = Kind("velero.io", "v1", "DeleteBackupRequest")
CLUSTER_ID_LABEL = "config.openshift.io/clusterID"
LIMIT = timedelta(minutes=5)
_STILL_RUNNING = "backup is still in progress"


class DeletionError(Exception):
    """Velero refused to delete a Backup, or did not answer in time."""


@dataclass(frozen=True, slots=True)
class BackupName:
    """Identifies a Backup; its request has the same name."""

    namespace: str
    name: str

    @classmethod
    def of(cls, backup: Object) -> BackupName:
        """The name of a Backup object."""
        return cls(backup["metadata"].get("namespace", ""), backup["metadata"]["name"])


def request_deletion(client: Client, backup: BackupName, labels: Mapping[str, str]) -> None:
    """Ask Velero to delete a Backup; an earlier request for it counts. Raises ApiError."""
    request: Object = {
        "apiVersion": DELETE_REQUEST.api_version,
        "kind": DELETE_REQUEST.kind,
        "metadata": {
            "name": backup.name,
            "namespace": backup.namespace,
            **({"labels": dict(labels)} if labels else {}),
        },
        "spec": {"backupName": backup.name},
    }
    try:
        client.create(request)
    except errors.AlreadyExists:
        return


def find_undeleted(client: Client, backups: Iterable[BackupName], now: datetime) -> list[BackupName]:
    """Return the Backups that Velero has not deleted yet.

    Raises DeletionError when a request was answered with an error, has been open for longer than five minutes, or is
    gone without its Backup; and ApiError. A request that Velero refused only because the backup is still running is
    withdrawn and sent again by the next pass.
    """
    remaining = []
    for backup in backups:
        request = client.find(DELETE_REQUEST, backup.name, backup.namespace)
        if request is None:
            if client.find(BACKUP, backup.name, backup.namespace) is not None:
                remaining.append(backup)
            continue
        if refusal := _read_refusal(request):
            client.delete(DELETE_REQUEST, backup.name, backup.namespace)
            if refusal != [_STILL_RUNNING]:
                text = " ".join(refusal)
                raise DeletionError(
                    f"failed to delete backups: deleteBackupRequest {backup.name} failed with errors: [{text}]"
                )
        elif now - _read_creation(request) > LIMIT:
            raise DeletionError(
                f"failed to delete backups: context deadline exceeded (deleteBackupRequest {backup.name} is open since "
                f"{request['metadata']['creationTimestamp']})"
            )
        remaining.append(backup)
    return remaining


def _read_refusal(request: Object) -> list[str]:
    status = request.get("status") or {}
    return [str(error) for error in status.get("errors") or ()] if status.get("phase") == "Processed" else []


def _read_creation(request: Object) -> datetime:
    return datetime.fromisoformat(request["metadata"]["creationTimestamp"])
