"""The small requests: deletion of a backup, download of a file, status of the server."""

from __future__ import annotations

from datetime import timedelta

from agent.kube import Kind, Object, errors
from sandbox.velero import files
from sandbox.velero.bucket import StorageError
from sandbox.velero.clock import format_time, now, parse_time
from sandbox.velero.context import Context
from sandbox.velero.locations import UNAVAILABLE
from sandbox.velero.names import (
    BACKUP,
    BACKUP_LABEL,
    BACKUP_UID_LABEL,
    DELETE_BACKUP_REQUEST,
    DOWNLOAD_REQUEST,
    RESTORE,
    SERVER_STATUS_REQUEST,
    label_value,
)

SERVER_VERSION = "v1.14.0-sandbox"
_URL_LIFETIME = timedelta(minutes=10)
_KEPT = timedelta(hours=24)
_LOOK_AGAIN_SECONDS = 5.0


class Deletions:
    """DeleteBackupRequests: the backup, its restores, their files, and in the end the request itself vanish."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def handle(self, name: str) -> float | None:
        request = self._context.find(DELETE_BACKUP_REQUEST, name)
        if request is None:
            return None
        if (request.get("status") or {}).get("phase") == "Processed":
            age = now() - parse_time(request["metadata"]["creationTimestamp"])
            if age < _KEPT:
                return (_KEPT - age).total_seconds()
            _delete(self._context, DELETE_BACKUP_REQUEST, name)
            return None
        problems = self._delete_backup(request)
        if problems:
            self._context.set_status(DELETE_BACKUP_REQUEST, name, phase="Processed", errors=problems)
        return None

    def _delete_backup(self, request: Object) -> list[str]:
        """Delete everything; what stood in the way, in Velero's words."""
        name, backup_name = request["metadata"]["name"], request["spec"]["backupName"]
        if not backup_name:
            return ["spec.backupName is required"]
        if (BACKUP, backup_name) in self._context.running:
            return ["backup is still in progress"]
        backup = self._context.find(BACKUP, backup_name)
        if backup is None:
            return ["backup not found"]
        location_name = backup["spec"].get("storageLocation", "")
        location = self._context.locations.find(location_name)
        if location is None:
            return [f"backup storage location {location_name} not found"]
        cannot = f"cannot delete backup because backup storage location {location_name} is currently in"
        if location["spec"].get("accessMode") == "ReadOnly":
            return [f"{cannot} read-only mode"]
        if (location.get("status") or {}).get("phase") == UNAVAILABLE:
            return [f"{cannot} Unavailable state"]
        labels = {BACKUP_LABEL: label_value(backup_name), BACKUP_UID_LABEL: backup["metadata"]["uid"]}
        marked = {"metadata": {"labels": labels}, "status": {"phase": "InProgress"}}
        self._context.patch(DELETE_BACKUP_REQUEST, name, marked)
        self._context.set_status(BACKUP, backup_name, phase="Deleting")
        try:
            bucket = self._context.locations.open(location)
            bucket.delete_folder(files.backup_folder(backup_name))
            for restore in self._context.client.list(RESTORE, self._context.namespace):
                if restore["spec"].get("backupName") == backup_name:
                    bucket.delete_folder(files.restore_folder(restore["metadata"]["name"]))
                    _delete(self._context, RESTORE, restore["metadata"]["name"])
        except StorageError as error:
            return [str(error)]
        _delete(self._context, BACKUP, backup_name)
        for other in self._context.client.list(DELETE_BACKUP_REQUEST, self._context.namespace):
            if other["spec"]["backupName"] == backup_name:
                _delete(self._context, DELETE_BACKUP_REQUEST, other["metadata"]["name"])
        return []


class Downloads:
    """DownloadRequests: a signed URL for ten minutes; then the request is deleted."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def handle(self, name: str) -> float | None:
        request = self._context.find(DOWNLOAD_REQUEST, name)
        if request is None:
            return None
        status = request.get("status") or {}
        if expiration := status.get("expiration"):
            left = (parse_time(expiration) - now()).total_seconds()
            if left <= 0:
                _delete(self._context, DOWNLOAD_REQUEST, name)
                return None
            if status.get("phase") == "Processed":
                return left
        else:
            expiration = format_time(now() + _URL_LIFETIME)
        url = self._sign(request["spec"]["target"])
        done = {"phase": "Processed", "downloadURL": url} if url else {}
        self._context.set_status(DOWNLOAD_REQUEST, name, expiration=expiration, **done)
        return _LOOK_AGAIN_SECONDS

    def _sign(self, target: Object) -> str | None:
        """None as long as the backup, its location or its credentials cannot be found."""
        backup_name: str | None = target["name"]
        if target["kind"].startswith("Restore"):
            restore = self._context.find(RESTORE, target["name"])
            backup_name = restore["spec"].get("backupName") if restore else None
        backup = self._context.find(BACKUP, backup_name) if backup_name else None
        location = self._context.locations.find(backup["spec"].get("storageLocation", "")) if backup else None
        if location is None:
            return None
        try:
            bucket = self._context.locations.open(location)
        except StorageError:
            return None
        return bucket.presign(files.file_of(target["kind"], target["name"]), int(_URL_LIFETIME.total_seconds()))


class ServerStatus:
    """ServerStatusRequests: who answers here."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def handle(self, name: str) -> float | None:
        request = self._context.find(SERVER_STATUS_REQUEST, name)
        if request is None or (request.get("status") or {}).get("phase") == "Processed":
            return None
        status = {
            "phase": "Processed",
            "processedTimestamp": format_time(now()),
            "serverVersion": SERVER_VERSION,
            "plugins": [{"kind": "ObjectStore", "name": "velero.io/aws"}],
        }
        self._context.client.update_status({**request, "status": status})
        return None


def _delete(context: Context, kind: Kind, name: str) -> None:
    try:
        context.client.delete(kind, name, context.namespace)
    except errors.NotFound:  # somebody was quicker
        return
