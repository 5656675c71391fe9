"""Keeps each storage location's phase true, and the cluster's Backups equal to those in the store."""

from __future__ import annotations

import json
from datetime import timedelta

from agent.kube import Object, errors
from sandbox.velero import files
from sandbox.velero.bucket import Bucket, StorageError
from sandbox.velero.clock import format_time, now, parse_time
from sandbox.velero.context import Context
from sandbox.velero.locations import AVAILABLE, UNAVAILABLE
from sandbox.velero.names import BACKUP, DELETE_BACKUP_REQUEST, LOCATION_LABEL, STORAGE_LOCATION, label_value
from sandbox.velero.rewriting import strip_object

LOOK_SECONDS = 5.0
"""How often a store is looked at. Velero does so every minute; a rehearsal need not wait that long."""
_WRITE_EVERY = timedelta(minutes=1)
_FINAL = ("Completed", "PartiallyFailed", "Failed")


class Syncing:
    """One look at one storage location: is it there, and what is in it?"""

    def __init__(self, context: Context) -> None:
        self._context = context

    def handle(self, name: str) -> float | None:
        location = self._context.locations.find(name)
        if location is None:
            return None
        try:
            bucket = self._context.locations.open(location)
            stored = set(bucket.list_names(files.BACKUPS, deep=False)[1])
        except StorageError as error:
            self._write(location, UNAVAILABLE, f'BackupStorageLocation "{name}" is unavailable: {error}')
            return LOOK_SECONDS
        self._write(location, AVAILABLE, "")
        self._sync(name, bucket, stored)
        return LOOK_SECONDS

    def _write(self, location: Object, phase: str, message: str) -> None:
        """Times are written once a minute only: each write wakes everybody who watches the location."""
        status = location.get("status") or {}
        last = status.get("lastValidationTime")
        unchanged = status.get("phase") == phase and status.get("message", "") == message
        if unchanged and last and now() - parse_time(last) < _WRITE_EVERY:
            return
        changes: dict[str, str | None] = {"phase": phase, "lastValidationTime": format_time(now())}
        if phase == AVAILABLE:
            changes["lastSyncedTime"] = changes["lastValidationTime"]
        if message or "message" in status:
            changes["message"] = message or None
        self._context.set_status(STORAGE_LOCATION, location["metadata"]["name"], **changes)

    def _sync(self, location_name: str, bucket: Bucket, stored: set[str]) -> None:
        live = {
            backup["metadata"]["name"]: backup for backup in self._context.client.list(BACKUP, self._context.namespace)
        }
        for name in sorted(stored - live.keys()):
            self._bring(location_name, bucket, name)
        for name, backup in live.items():
            labels, status = backup["metadata"].get("labels") or {}, backup.get("status") or {}
            if labels.get(LOCATION_LABEL) != label_value(location_name):
                continue
            if status.get("phase") == "Completed" and name not in stored:
                self._context.client.delete(BACKUP, name, self._context.namespace, uid=backup["metadata"]["uid"])
            elif status.get("phase") in _FINAL and parse_time(status["expiration"]) < now():
                self._expire(name)

    def _bring(self, location_name: str, bucket: Bucket, name: str) -> None:
        """Create the Backup of a folder in the store, for example one made before the pivot."""
        try:
            backup = json.loads(bucket.get(files.metadata_file(name)))
        except StorageError:  # a folder without a Backup, or one that is being deleted
            return
        if backup["status"]["phase"] not in _FINAL:
            return
        wanted = {**strip_object(backup), "status": backup["status"]}
        wanted["metadata"].pop("finalizers", None)
        wanted["metadata"]["namespace"] = self._context.namespace
        labels = wanted["metadata"].get("labels") or {}
        wanted["metadata"]["labels"] = {**labels, LOCATION_LABEL: label_value(location_name)}
        wanted["spec"]["storageLocation"] = location_name
        try:
            self._context.client.create(wanted)
        except errors.AlreadyExists:
            return

    def _expire(self, name: str) -> None:
        """Ask for the deletion of a backup whose time is over; its own request is recognised by its name."""
        metadata = {"name": f"{name}-expired"[:253], "namespace": self._context.namespace}
        request = {"apiVersion": DELETE_BACKUP_REQUEST.api_version, "kind": DELETE_BACKUP_REQUEST.kind}
        try:
            self._context.client.create({**request, "metadata": metadata, "spec": {"backupName": name}})
        except errors.AlreadyExists:
            return
