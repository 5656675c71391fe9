"""OADP: makes the storage locations that a DataProtectionApplication describes."""

from __future__ import annotations

from typing import Any

from agent.kube import Client, Kind, Object, errors
from sandbox.velero.clock import format_time, now
from sandbox.velero.locations import DEFAULT_SECRET
from sandbox.velero.names import DATA_PROTECTION, SECRET, STORAGE_LOCATION

_AGAIN_SECONDS = 2.0
_OWNED_LABEL = {"app.kubernetes.io/managed-by": "oadp-operator", "openshift.io/oadp": "True"}
_SNAPSHOT_LOCATION = Kind("velero.io", "v1", "VolumeSnapshotLocation")


class UnreconciledError(Exception):
    """The application cannot be set up yet; the text goes into its condition."""


class DataProtection:
    """Reconciles one DataProtectionApplication at a time."""

    def __init__(self, client: Client, namespace: str) -> None:
        self._client = client
        self._namespace = namespace

    def handle(self, name: str) -> float | None:
        application = self._client.find(DATA_PROTECTION, name, self._namespace)
        if application is None or application["metadata"].get("deletionTimestamp"):
            return None
        try:
            if len(self._client.list(DATA_PROTECTION, self._namespace)) > 1:
                raise UnreconciledError("only one DPA CR can exist per OADP installation namespace")
            self._reconcile(application)
        except UnreconciledError as problem:
            self._set_condition(application, "False", "Error", str(problem))
            return _AGAIN_SECONDS
        self._set_condition(application, "True", "Complete", "Reconcile complete")
        return None

    def _reconcile(self, application: Object) -> None:
        spec = application["spec"]
        locations = spec.get("backupLocations") or []
        velero = (spec.get("configuration") or {}).get("velero")
        if velero is None:
            raise UnreconciledError("no configuration.velero found")
        if not locations and not velero.get("noDefaultBackupLocation"):
            raise UnreconciledError(
                "no backupLocations configured, ensure a backupLocation or noDefaultBackupLocation is set"
            )
        for kind, entries in ((STORAGE_LOCATION, locations), (_SNAPSHOT_LOCATION, spec.get("snapshotLocations") or [])):
            wanted = {}
            for number, entry in enumerate(entries, 1):
                name = entry.get("name") or f"{application['metadata']['name']}-{number}"
                wanted[name] = self._location_spec(entry)
            for name, body in wanted.items():
                self._ensure(kind, application, name, body)
            self._remove_others(kind, application, wanted)

    def _location_spec(self, entry: Object) -> Object:
        velero: Object | None = entry.get("velero")
        if velero is None:
            raise UnreconciledError("BackupLocation must have velero configuration: a sandbox has no cloudStorage")
        reference = velero.get("credential") or DEFAULT_SECRET
        secret = self._client.find(SECRET, reference["name"], self._namespace)
        if secret is None:
            raise UnreconciledError(f'secrets "{reference["name"]}" not found')
        if reference["key"] not in (secret.get("data") or {}):
            raise UnreconciledError(f"Secret name {reference['name']} is missing data for key {reference['key']}")
        return velero

    def _ensure(self, kind: Kind, application: Object, name: str, spec: Object) -> None:
        live = self._client.find(kind, name, self._namespace)
        if live is None:
            metadata = {"name": name, "namespace": self._namespace, "labels": _OWNED_LABEL}
            owners = {"ownerReferences": [_owner(application)]}
            self._client.create(
                {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": {**metadata, **owners}, "spec": spec}
            )
        elif live["spec"] != spec:
            self._client.update({**live, "spec": spec})

    def _remove_others(self, kind: Kind, application: Object, wanted: Object) -> None:
        for live in self._client.list(kind, self._namespace):
            owners = [owner["uid"] for owner in live["metadata"].get("ownerReferences") or ()]
            if application["metadata"]["uid"] in owners and live["metadata"]["name"] not in wanted:
                self._client.delete(kind, live["metadata"]["name"], self._namespace)

    def _set_condition(self, application: Object, status: str, reason: str, message: str) -> None:
        conditions: list[Any] = (application.get("status") or {}).get("conditions") or []
        known: Object = next((c for c in conditions if c["type"] == "Reconciled"), {})
        if (known.get("status"), known.get("reason"), known.get("message")) == (status, reason, message):
            return
        since = known["lastTransitionTime"] if known.get("status") == status else format_time(now())
        condition = {"type": "Reconciled", "status": status, "reason": reason, "message": message}
        others = [c for c in conditions if c["type"] != "Reconciled"]
        written = {"conditions": [*others, {**condition, "lastTransitionTime": since}]}
        try:
            self._client.update_status({**application, "status": written})
        except errors.Conflict:  # changed meanwhile: its event brings us back
            return


def _owner(application: Object) -> Object:
    metadata = application["metadata"]
    reference = {"apiVersion": DATA_PROTECTION.api_version, "kind": DATA_PROTECTION.kind, "name": metadata["name"]}
    return {**reference, "uid": metadata["uid"], "controller": True, "blockOwnerDeletion": True}
