"""Restores: validation, run, files in the store, phases."""

from __future__ import annotations

from agent.kube import Object, errors
from sandbox.velero import files
from sandbox.velero.archive import ArchiveError, unpack_objects
from sandbox.velero.bucket import Bucket, StorageError
from sandbox.velero.catalog import Catalog
from sandbox.velero.clock import format_time, now
from sandbox.velero.context import HELD_SECONDS, Context
from sandbox.velero.filters import NON_RESTORABLE, check_lists
from sandbox.velero.injection import FAILED
from sandbox.velero.locations import UNAVAILABLE
from sandbox.velero.names import BACKUP, RESTORE
from sandbox.velero.report import Report, gzip_json
from sandbox.velero.restoring import Restoration

INTERRUPTED = 'found a restore with status "InProgress" during the server starting, mark it as "Failed"'
_PROGRESS_ITEMS = 50


class Restores:
    """Works on one Restore at a time; `handle` says after how many seconds to look at it again, if at all."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def recover(self) -> None:
        """At the start of the server: what was in progress is lost, as with the real one."""
        for restore in self._context.client.list(RESTORE, self._context.namespace):
            if (restore.get("status") or {}).get("phase") == "InProgress":
                self._fail(restore["metadata"]["name"], INTERRUPTED)

    def handle(self, name: str) -> float | None:
        restore = self._context.find(RESTORE, name)
        if restore is None:
            self._context.running.discard(f"Restore/{name}")
            return None
        phase = (restore.get("status") or {}).get("phase", "")
        if phase in ("", "New"):
            return self._begin(restore)
        if phase == "InProgress" and f"Restore/{name}" in self._context.running:
            return self._continue(restore)
        if phase.startswith("Finalizing"):
            final = "Completed" if phase == "Finalizing" else "PartiallyFailed"
            self._context.set_status(RESTORE, name, phase=final, completionTimestamp=format_time(now()))
        return None

    def _begin(self, restore: Object) -> float | None:
        name, spec = restore["metadata"]["name"], restore["spec"]
        problems = self._check(spec)
        if problems:
            self._context.set_status(RESTORE, name, phase="FailedValidation", validationErrors=problems)
            return None
        excluded = list(dict.fromkeys([*(spec.get("excludedResources") or ()), *NON_RESTORABLE]))
        patch = {
            "spec": {
                "excludedResources": excluded,
                "hooks": spec.get("hooks") or {},
                "itemOperationTimeout": spec.get("itemOperationTimeout") or "4h0m0s",
            },
            "status": {"phase": "InProgress", "startTimestamp": format_time(now())},
        }
        self._context.running.add(f"Restore/{name}")
        return self._continue(self._context.patch(RESTORE, name, patch))

    def _continue(self, restore: Object) -> float | None:
        name = restore["metadata"]["name"]
        if self._context.injection.hangs("restore", name):
            return HELD_SECONDS
        try:
            self._run(restore)
        except (StorageError, ArchiveError) as error:
            self._fail(name, str(error))
            return None
        finally:
            self._context.running.discard(f"Restore/{name}")
        return 0.0

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
        if (location.get("status") or {}).get("phase") == UNAVAILABLE:
            return f"The BSL {location_name} is unavailable, cannot retrieve the backup. Please check the BSL status."
        return None

    def _run(self, restore: Object) -> None:
        """Restore everything and store the reports. Raises StorageError or ArchiveError if nothing can be restored."""
        name, spec = restore["metadata"]["name"], restore["spec"]
        report = Report(f"restore={self._context.namespace}/{name}")
        bucket = self._open_bucket(spec["backupName"])
        try:
            contents = bucket.get(files.file_of("BackupContents", spec["backupName"]))
        except StorageError as error:
            raise StorageError(f"error downloading backup: {error}") from error
        injected = self._context.injection.failure("restore", name)
        if injected == FAILED:
            raise StorageError("the fault restore-fails is active")
        if injected:
            report.fail_run("the fault restore-fails is active")
        client = self._context.client
        restoration = Restoration(client, Catalog.read(client), restore, unpack_objects(contents), report)
        chosen = restoration.choose()
        for count, key in enumerate(chosen, 1):
            restoration.restore(key)
            if count % _PROGRESS_ITEMS == 0:
                self._context.set_status(RESTORE, name, progress={"totalItems": len(chosen), "itemsRestored": count})
        report.info("restore completed")
        self._upload(bucket, name, restoration, report)
        self._context.set_status(
            RESTORE,
            name,
            phase="FinalizingPartiallyFailed" if report.errors.count else "Finalizing",
            progress={"totalItems": len(chosen), "itemsRestored": len(chosen)},
            **({"errors": report.errors.count} if report.errors.count else {}),
            **({"warnings": report.warnings.count} if report.warnings.count else {}),
        )

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

    def _fail(self, name: str, reason: str) -> None:
        try:
            self._context.set_status(
                RESTORE, name, phase=FAILED, failureReason=reason, completionTimestamp=format_time(now())
            )
        except errors.NotFound:  # deleted meanwhile: nobody wants to know
            return
