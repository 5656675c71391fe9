"""Backups: validation, run, files in the store, phases."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from agent.kube import Object, errors
from sandbox.velero import files
from sandbox.velero.archive import pack_objects
from sandbox.velero.bucket import Bucket, StorageError
from sandbox.velero.catalog import Catalog
from sandbox.velero.clock import format_time, now, parse_duration
from sandbox.velero.collecting import Collection, describe_objects
from sandbox.velero.context import HELD_SECONDS, Context
from sandbox.velero.filters import NEW_FILTERS, OLD_FILTERS, check_lists, check_scoped_lists
from sandbox.velero.injection import FAILED
from sandbox.velero.locations import UNAVAILABLE
from sandbox.velero.names import BACKUP, EXCLUDE_LABEL, LOCATION_LABEL, NAMESPACE, label_value
from sandbox.velero.report import Report, gzip_json

DEFAULT_TTL = "720h0m0s"
INTERRUPTED = 'found a backup with status "InProgress" during the server starting, mark it as "Failed"'
_AGAIN_SECONDS = 2.0
_EMPTY_LISTS = (
    "BackupVolumeSnapshots",
    "BackupItemOperations",
    "BackupVolumeInfos",
    "BackupPodVolumes",
    "CSIBackupVolumeSnapshots",
    "CSIBackupVolumeSnapshotContents",
)


class Backups:
    """Works on one Backup at a time; `handle` says after how many seconds to look at it again, if at all."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def recover(self) -> None:
        """At the start of the server: what was in progress is lost, as with the real one."""
        for backup in self._context.client.list(BACKUP, self._context.namespace):
            if (backup.get("status") or {}).get("phase") == "InProgress":
                self._fail(backup["metadata"]["name"], INTERRUPTED)

    def handle(self, name: str) -> float | None:
        backup = self._context.find(BACKUP, name)
        if backup is None:
            self._context.running.discard(f"Backup/{name}")
            return None
        phase = (backup.get("status") or {}).get("phase", "")
        if phase in ("", "New"):
            return self._begin(backup)
        if phase == "InProgress" and f"Backup/{name}" in self._context.running:
            return self._continue(backup)
        if phase.startswith("Finalizing"):
            return self._finish(backup)
        return None

    def _begin(self, backup: Object) -> float | None:
        name = backup["metadata"]["name"]
        patch, problems = self._prepare(backup)
        if problems:
            patch["status"] |= {"phase": "FailedValidation", "validationErrors": problems}
            self._context.patch(BACKUP, name, patch)
            return None
        patch["status"] |= {"phase": "InProgress", "startTimestamp": format_time(now())}
        self._context.running.add(f"Backup/{name}")
        return self._continue(self._context.patch(BACKUP, name, patch))

    def _continue(self, backup: Object) -> float | None:
        name = backup["metadata"]["name"]
        if self._context.injection.hangs("backup", name):
            return HELD_SECONDS
        try:
            self._run(backup)
        except StorageError as error:
            self._fail(name, str(error))
            return None
        finally:
            self._context.running.discard(f"Backup/{name}")
        return 0.0

    def _prepare(self, backup: Object) -> tuple[dict[str, Any], list[str]]:
        """The patch that completes the Backup, and what is wrong with it; texts of Velero."""
        spec, problems = backup["spec"], []
        location_name = spec.get("storageLocation") or self._context.locations.default_name()
        location = self._context.locations.find(location_name)
        if location is None:
            problems.append(
                "an existing backup storage location wasn't specified at backup creation time and the default "
                f"'{location_name}' wasn't found. Please address this issue (see `velero backup-location -h` for "
                f'options) and create a new backup. Error: backupstoragelocations.velero.io "{location_name}" not found'
            )
        elif location["spec"].get("accessMode") == "ReadOnly":
            problems.append(
                f"backup can't be created because backup storage location {location_name} is currently in read-only "
                "mode"
            )
        elif (location.get("status") or {}).get("phase") == UNAVAILABLE:
            problems.append(
                f"backup can't be created because BackupStorageLocation {location_name} is in Unavailable status. "
                "please create a new backup after the BSL becomes available"
            )
        problems += _check_filters(spec)
        ttl = spec.get("ttl") or DEFAULT_TTL
        try:
            lifetime = parse_duration(ttl)
        except ValueError as error:
            problems.append(f"spec.ttl: {error}")
            lifetime = timedelta()
        if not lifetime:
            ttl, lifetime = DEFAULT_TTL, parse_duration(DEFAULT_TTL)
        version = self._context.client.version()
        patch: dict[str, Any] = {
            "metadata": {
                "labels": {LOCATION_LABEL: label_value(location_name)},
                "annotations": {
                    "velero.io/resource-timeout": "10m0s",
                    "velero.io/source-cluster-k8s-gitversion": version["gitVersion"],
                    "velero.io/source-cluster-k8s-major-version": version["major"],
                    "velero.io/source-cluster-k8s-minor-version": version["minor"],
                },
            },
            "spec": {
                "storageLocation": location_name,
                "ttl": ttl,
                "csiSnapshotTimeout": spec.get("csiSnapshotTimeout") or "10m0s",
                "itemOperationTimeout": spec.get("itemOperationTimeout") or "4h0m0s",
                "defaultVolumesToFsBackup": bool(spec.get("defaultVolumesToFsBackup")),
                "snapshotMoveData": bool(spec.get("snapshotMoveData")),
                "hooks": spec.get("hooks") or {},
            },
            "status": {
                "version": 1,
                "formatVersion": files.FORMAT_VERSION,
                "expiration": format_time(now() + lifetime),
            },
        }
        if left_out := [
            ns["metadata"]["name"] for ns in self._context.client.list(NAMESPACE, labels=f"{EXCLUDE_LABEL}=true")
        ]:
            patch["spec"]["excludedNamespaces"] = [*(spec.get("excludedNamespaces") or ()), *left_out]
        return patch, problems

    def _run(self, backup: Object) -> None:
        """Collect and store everything. Raises StorageError."""
        name, spec = backup["metadata"]["name"], backup["spec"]
        report = Report(f"backup={self._context.namespace}/{name}")
        bucket = self._open_bucket(spec["storageLocation"])
        try:
            exists = bucket.exists(files.metadata_file(name))
        except StorageError as error:
            raise StorageError(f"error checking if backup already exists in object storage: {error}") from error
        if exists:
            raise StorageError("backup already exists in object storage")
        objects = Collection(self._context.client, Catalog.read(self._context.client), spec, report).collect()
        injected = self._context.injection.failure("backup", name)
        if injected == FAILED:
            raise StorageError("the fault backup-fails is active")
        if injected:
            report.fail_run("the fault backup-fails is active")
        progress = {"totalItems": len(objects), "itemsBackedUp": len(objects)}
        self._context.set_status(BACKUP, name, progress=progress)
        report.info(f"Backed up a total of {len(objects)} items")
        phase = "FinalizingPartiallyFailed" if report.errors.count else "Finalizing"
        counts = {"errors": report.errors.count, "warnings": report.warnings.count}
        status = {**backup["status"], "phase": phase, "progress": progress, **{k: v for k, v in counts.items() if v}}
        self._upload(bucket, {**backup, "status": status}, objects, report)
        self._context.set_status(BACKUP, name, **status)

    def _upload(self, bucket: Bucket, backup: Object, objects: list[tuple[str, Object]], report: Report) -> None:
        """Velero's files; the Backup itself comes last, for it makes the folder a backup."""
        name = backup["metadata"]["name"]
        for target in _EMPTY_LISTS:
            bucket.put(files.file_of(target, name), gzip_json([]))
        bucket.put(files.file_of("BackupResourceList", name), gzip_json(describe_objects(objects)))
        bucket.put(files.file_of("BackupContents", name), pack_objects(objects))
        bucket.put(files.file_of("BackupLog", name), report.log_file())
        bucket.put(files.file_of("BackupResults", name), report.results_file())
        bucket.put(files.metadata_file(name), json.dumps(backup).encode())

    def _finish(self, backup: Object) -> float | None:
        """From Finalizing to the final phase, in the store and in the cluster; repeated until the store takes it."""
        name, status = backup["metadata"]["name"], dict(backup["status"])
        status["phase"] = "Completed" if status["phase"] == "Finalizing" else "PartiallyFailed"
        status["completionTimestamp"] = format_time(now())
        try:
            bucket = self._open_bucket(backup["spec"]["storageLocation"])
            bucket.put(files.metadata_file(name), json.dumps({**backup, "status": status}).encode())
        except StorageError:
            return _AGAIN_SECONDS
        self._context.set_status(BACKUP, name, **status)
        return None

    def _open_bucket(self, location_name: str) -> Bucket:
        location = self._context.locations.find(location_name)
        if location is None:
            raise StorageError(f'backupstoragelocations.velero.io "{location_name}" not found')
        return self._context.locations.open(location)

    def _fail(self, name: str, reason: str) -> None:
        try:
            self._context.set_status(
                BACKUP, name, phase=FAILED, failureReason=reason, completionTimestamp=format_time(now())
            )
        except errors.NotFound:  # deleted meanwhile: nobody wants to know
            return


def _check_filters(spec: Object) -> list[str]:
    problems = []
    if any(spec.get(name) is not None for name in OLD_FILTERS) and any(spec.get(name) for name in NEW_FILTERS):
        problems.append(
            "include-resources, exclude-resources and include-cluster-resources are old filter parameters.\n"
            "include-cluster-scoped-resources, exclude-cluster-scoped-resources, include-namespace-scoped-resources "
            "and exclude-namespace-scoped-resources are new filter parameters.\nThey cannot be used together"
        )
    for check, lists, what in (
        (check_lists, "Resources", "resource"),
        (check_scoped_lists, "ClusterScopedResources", "cluster-scoped included/excluded resource"),
        (check_scoped_lists, "NamespaceScopedResources", "namespace-scoped included/excluded resource"),
        (check_lists, "Namespaces", "namespace"),
    ):
        found = check(spec.get(f"included{lists}"), spec.get(f"excluded{lists}"))
        what = what if " " in what else f"included/excluded {what}"
        problems += [f"Invalid {what} lists: {problem}" for problem in found]
    if spec.get("orLabelSelectors") is not None and spec.get("labelSelector") is not None:
        problems.append(
            "encountered labelSelector as well as orLabelSelectors in backup spec, only one can be specified"
        )
    return problems
