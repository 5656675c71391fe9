"""Backups: validation, run, files in the store, phases."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from agent.kube import Object
from sandbox.velero import files
from sandbox.velero.archive import pack_objects
from sandbox.velero.bucket import Bucket, StorageError
from sandbox.velero.catalog import Catalog
from sandbox.velero.clock import format_time, now, parse_duration
from sandbox.velero.collecting import Collection, describe_objects
from sandbox.velero.filters import NEW_FILTERS, OLD_FILTERS, check_lists, check_scoped_lists
from sandbox.velero.locations import UNAVAILABLE
from sandbox.velero.names import BACKUP, EXCLUDE_LABEL, LOCATION_LABEL, NAMESPACE, label_value
from sandbox.velero.report import Report, gzip_json
from sandbox.velero.runs import Runs, count_problems, phase_of

DEFAULT_TTL = "720h0m0s"
_AGAIN_SECONDS = 2.0
_EMPTY_LISTS = (
    "BackupVolumeSnapshots",
    "BackupItemOperations",
    "BackupVolumeInfos",
    "BackupPodVolumes",
    "CSIBackupVolumeSnapshots",
    "CSIBackupVolumeSnapshotContents",
)


class Backups(Runs):
    """Velero's Backups."""

    kind = BACKUP

    def accept(self, obj: Object) -> Object | None:
        name = obj["metadata"]["name"]
        patch, problems = self._prepare(obj)
        if problems:
            patch["status"] |= {"phase": "FailedValidation", "validationErrors": problems}
            self._context.patch(BACKUP, name, patch)
            return None
        patch["status"] |= {"phase": "InProgress", "startTimestamp": format_time(now())}
        return self._context.patch(BACKUP, name, patch)

    def execute(self, obj: Object) -> None:
        name, spec = obj["metadata"]["name"], obj["spec"]
        report = Report(f"backup={self._context.namespace}/{name}")
        bucket = self._open_bucket(spec["storageLocation"])
        try:
            exists = bucket.exists(files.metadata_file(name))
        except StorageError as error:
            raise StorageError(f"error checking if backup already exists in object storage: {error}") from error
        if exists:
            raise StorageError("backup already exists in object storage")
        objects = self._collect(spec, report)
        self.inject_failure(name, report)
        progress = {"totalItems": len(objects), "itemsBackedUp": len(objects)}
        self._context.set_status(BACKUP, name, progress=progress)
        report.info(f"Backed up a total of {len(objects)} items")
        phase = "FinalizingPartiallyFailed" if report.errors.count else "Finalizing"
        status = {**obj["status"], "phase": phase, "progress": progress, **count_problems(report)}
        self._upload(bucket, {**obj, "status": status}, objects, report)
        self._context.set_status(BACKUP, name, **status)

    def measure_half(self, obj: Object) -> Mapping[str, int]:
        report = Report(f"backup={self._context.namespace}/{obj['metadata']['name']}")
        total = len(self._collect(obj["spec"], report))
        return {"totalItems": total, "itemsBackedUp": total // 2}

    def finish(self, obj: Object) -> float | None:
        """In the store first, then in the cluster."""
        name, status = obj["metadata"]["name"], dict(obj["status"])
        status["phase"] = "Completed" if status["phase"] == "Finalizing" else "PartiallyFailed"
        status["completionTimestamp"] = format_time(now())
        try:
            bucket = self._open_bucket(obj["spec"]["storageLocation"])
            bucket.put(files.metadata_file(name), json.dumps({**obj, "status": status}).encode())
        except StorageError:
            return _AGAIN_SECONDS
        self._context.set_status(BACKUP, name, **status)
        return None

    def _collect(self, spec: Object, report: Report) -> list[tuple[str, Object]]:
        return Collection(self._context.client, Catalog.read(self._context.client), spec, report).collect()

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
        elif phase_of(location) == UNAVAILABLE:
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

    def _open_bucket(self, location_name: str) -> Bucket:
        location = self._context.locations.find(location_name)
        if location is None:
            raise StorageError(f'backupstoragelocations.velero.io "{location_name}" not found')
        return self._context.locations.open(location)


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
