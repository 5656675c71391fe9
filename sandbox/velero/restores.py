"""Restores: validation, run, files in the store, phases."""

from __future__ import annotations

from collections.abc import Mapping

from agent.kube import Object
from sandbox.velero import files
from sandbox.velero.archive import unpack_objects
from sandbox.velero.bucket import Bucket, StorageError
from sandbox.velero.catalog import Catalog
from sandbox.velero.clock import format_time, now
from sandbox.velero.filters import NON_RESTORABLE, check_lists
from sandbox.velero.locations import UNAVAILABLE
from sandbox.velero.names import BACKUP, RESTORE
from sandbox.velero.report import Report, gzip_json
from sandbox.velero.restoring import Restoration
from sandbox.velero.runs import Runs, count_problems, phase_of

_PROGRESS_ITEMS = 50


class Restores(Runs):
    """Velero's Restores."""

    kind = RESTORE

    def accept(self, obj: Object) -> Object | None:
        name, spec = obj["metadata"]["name"], obj["spec"]
        if problems := self._check(spec):
            self._context.set_status(RESTORE, name, phase="FailedValidation", validationErrors=problems)
            return None
        patch = {
            "spec": {
                "excludedResources": list(dict.fromkeys([*(spec.get("excludedResources") or ()), *NON_RESTORABLE])),
                "hooks": spec.get("hooks") or {},
                "itemOperationTimeout": spec.get("itemOperationTimeout") or "4h0m0s",
            },
            "status": {"phase": "InProgress", "startTimestamp": format_time(now())},
        }
        return self._context.patch(RESTORE, name, patch)

    def execute(self, obj: Object) -> None:
        name, spec = obj["metadata"]["name"], obj["spec"]
        report = Report(f"restore={self._context.namespace}/{name}")
        bucket = self._open_bucket(spec["backupName"])
        try:
            contents = bucket.get(files.file_of("BackupContents", spec["backupName"]))
        except StorageError as error:
            raise StorageError(f"error downloading backup: {error}") from error
        self.inject_failure(name, report)
        client = self._context.client
        restoration = Restoration(client, Catalog.read(client), obj, unpack_objects(contents), report)
        chosen = restoration.choose()
        for count, key in enumerate(chosen, 1):
            restoration.restore(key)
            if count % _PROGRESS_ITEMS == 0:
                self._context.set_status(RESTORE, name, progress={"totalItems": len(chosen), "itemsRestored": count})
        report.info("restore completed")
        self._upload(bucket, name, restoration, report)
        phase = "FinalizingPartiallyFailed" if report.errors.count else "Finalizing"
        progress = {"totalItems": len(chosen), "itemsRestored": len(chosen)}
        self._context.set_status(RESTORE, name, phase=phase, progress=progress, **count_problems(report))

    def measure_half(self, obj: Object) -> Mapping[str, int]:
        backup = self._context.find(BACKUP, obj["spec"]["backupName"]) or {}
        total = ((backup.get("status") or {}).get("progress") or {}).get("totalItems", 0)
        return {"totalItems": total, "itemsRestored": total // 2}

    def finish(self, obj: Object) -> float | None:
        phase = "Completed" if phase_of(obj) == "Finalizing" else "PartiallyFailed"
        self._context.set_status(RESTORE, obj["metadata"]["name"], phase=phase, completionTimestamp=format_time(now()))
        return None

    def _check(self, spec: Object) -> list[str]:
        """What is wrong with the Restore; texts of Velero."""
        problems = [
            f"{name} are non-restorable resources"
            for name in NON_RESTORABLE
            if name in (spec.get("includedResources") or ())
        ]
        for what, lists in (("resource", "Resources"), ("namespace", "Namespaces")):
            found = check_lists(spec.get(f"included{lists}"), spec.get(f"excluded{lists}"))
            problems += [f"Invalid included/excluded {what} lists: {problem}" for problem in found]
        if spec.get("orLabelSelectors") is not None and spec.get("labelSelector") is not None:
            problems.append(
                "encountered labelSelector as well as orLabelSelectors in restore spec, only one can be specified"
            )
        if spec.get("existingResourcePolicy") not in (None, "", "none", "update"):
            problems.append(f"unexpected existingResourcePolicy: {spec['existingResourcePolicy']}")
        if spec.get("scheduleName"):
            problems.append("the Velero of a sandbox knows no schedules: name the backup in spec.backupName")
        elif not spec.get("backupName"):
            problems.append("Either a backup or schedule must be specified as a source for the restore, but not both")
        elif problem := self._check_backup(spec["backupName"]):
            problems.append(problem)
        return problems

    def _check_backup(self, name: str) -> str | None:
        backup = self._context.find(BACKUP, name)
        if backup is None:
            return f'Error retrieving backup: backups.velero.io "{name}" not found'
        location_name = backup["spec"].get("storageLocation", "")
        location = self._context.locations.find(location_name)
        if location is None:
            return f'Error retrieving backup: backupstoragelocations.velero.io "{location_name}" not found'
        if phase_of(location) == UNAVAILABLE:
            return f"The BSL {location_name} is unavailable, cannot retrieve the backup. Please check the BSL status."
        return None

    def _upload(self, bucket: Bucket, name: str, restoration: Restoration, report: Report) -> None:
        """The objects are restored whatever becomes of the reports; a store that does not take them is an error."""
        try:
            bucket.put(files.file_of("RestoreResourceList", name), gzip_json(restoration.outcomes))
            for target in ("RestoreItemOperations", "RestoreVolumeInfo"):
                bucket.put(files.file_of(target, name), gzip_json([]))
            bucket.put(files.file_of("RestoreLog", name), report.log_file())
            bucket.put(files.file_of("RestoreResults", name), report.results_file())
        except StorageError as error:
            report.fail_run(f"error uploading log file to backup storage: {error}")

    def _open_bucket(self, backup_name: str) -> Bucket:
        backup = self._context.find(BACKUP, backup_name)
        location = self._context.locations.find(backup["spec"]["storageLocation"]) if backup else None
        if location is None:
            raise StorageError(f"the backup {backup_name} or its storage location has been deleted")
        return self._context.locations.open(location)
