"""Puts the objects of a backup into the cluster."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from typing import Any

from agent.kube import Client, Kind, Object, errors
from sandbox.velero.catalog import Catalog
from sandbox.velero.filters import NAMESPACES, RestoreFilter
from sandbox.velero.names import BACKUP_LABEL, CRD, NAMESPACE, RESTORE_LABEL, label_value
from sandbox.velero.report import Report
from sandbox.velero.rewriting import (
    MIRROR_ANNOTATION,
    is_finished,
    make_patch,
    merge_service_account,
    rewrite,
    strip_object,
    unbind,
)
from sandbox.velero.selectors import matches_spec

_VOLUMES, _CLAIMS = "persistentvolumes", "persistentvolumeclaims"
_DEFINITIONS = "customresourcedefinitions.apiextensions.k8s.io"
_FIRST = (
    _DEFINITIONS,
    NAMESPACES,
    "storageclasses.storage.k8s.io",
    "volumesnapshotclasses.snapshot.storage.k8s.io",
    "volumesnapshotcontents.snapshot.storage.k8s.io",
    "volumesnapshots.snapshot.storage.k8s.io",
    "datauploads.velero.io",
    _VOLUMES,
    _CLAIMS,
    "serviceaccounts",
    "secrets",
    "configmaps",
    "limitranges",
    "pods",
    "replicasets.apps",
    "clusterclasses.cluster.x-k8s.io",
    "endpoints",
    "services",
)
_LAST = (
    "clusterbootstraps.run.tanzu.vmware.com",
    "clusters.cluster.x-k8s.io",
    "clusterresourcesets.addons.cluster.x-k8s.io",
)
_TERMINATING_SECONDS = 600.0
_ESTABLISH_SECONDS = 60.0

Key = tuple[str, str | None, str]


def order_types(names: Iterable[str]) -> list[str]:
    """In the order of restoration: what others need first, then by name."""
    ranks = {name: rank for rank, name in enumerate(_FIRST, -len(_FIRST))} | {
        name: 1 + i for i, name in enumerate(_LAST)
    }
    return sorted(names, key=lambda name: (ranks.get(name, 0), name))


class Restoration:
    """One Restore with the objects of its backup; `run` tries each object once."""

    def __init__(
        self, client: Client, catalog: Catalog, restore: Object, objects: Iterable[tuple[str, Object]], report: Report
    ) -> None:
        self._client = client
        self._spec: Mapping[str, Any] = restore["spec"]
        self._filter = RestoreFilter(self._spec, catalog)
        self._mapping: Mapping[str, str] = self._spec.get("namespaceMapping") or {}
        self._report = report
        self._labels = {
            BACKUP_LABEL: label_value(self._spec["backupName"]),
            RESTORE_LABEL: label_value(restore["metadata"]["name"]),
        }
        self._saved: dict[Key, Object] = {_key(type_name, obj): obj for type_name, obj in objects}
        self._done: set[Key] = set()
        self._ready_namespaces: set[str] = set()
        self._to_provision: set[str] = set()
        self.outcomes: dict[str, list[str]] = {}
        """The resource list file: `namespace/name(created|updated|skipped|failed)` by `group/version/Kind`."""

    def choose(self) -> list[Key]:
        """What the Restore asks for, in order; objects that belong to others come along later."""
        chosen = [key for key in self._saved if self._is_chosen(key)]
        ranks = {name: rank for rank, name in enumerate(order_types({key[0] for key in chosen}))}
        return sorted(chosen, key=lambda key: (ranks[key[0]], key[1] or "", key[2]))

    def restore(self, key: Key) -> None:
        """Restore one object, unless that is done; what goes wrong is reported. Raises only when the client closes."""
        if key in self._done:
            return
        self._done.add(key)
        type_name, saved_namespace, name = key
        saved = self._saved[key]
        namespace = self._mapping.get(saved_namespace, saved_namespace) if saved_namespace else None
        if not self._is_wanted(key):
            return
        if is_finished(type_name, saved) or MIRROR_ANNOTATION in (saved["metadata"].get("annotations") or {}):
            self._report.info(f"{type_name} {name} is complete - skipping")
            return
        try:
            if saved_namespace and namespace:
                self._ensure_namespace(saved_namespace, namespace)
            wanted = self._prepare(type_name, saved, namespace)
            outcome = self._write(type_name, saved, wanted) if wanted else None
        except errors.Closed:
            raise
        except errors.ApiError as error:
            place = "/".join(filter(None, (type_name, namespace, name)))
            self._report.fail(namespace, f"error restoring {place}: {error}")
            outcome = "failed"
        if outcome:
            kind = Kind.of(saved)
            shown = "/".join(filter(None, (namespace, name)))
            self.outcomes.setdefault(f"{kind.api_version}/{kind.kind}", []).append(f"{shown}({outcome})")

    def _is_chosen(self, key: Key) -> bool:
        type_name, namespace, _ = key
        if type_name == NAMESPACES:  # made when something is restored into them
            return False
        if namespace is None and not self._filter.covers_cluster_scoped():
            return False
        return self._is_wanted(key) and matches_spec(self._spec, self._saved[key]["metadata"].get("labels") or {})

    def _is_wanted(self, key: Key) -> bool:
        type_name, namespace, _ = key
        if not self._filter.covers_type(type_name):
            return False
        return self._filter.namespaces.covers(namespace) if namespace else self._filter.tolerates_cluster_scoped()

    def _ensure_namespace(self, saved_name: str, name: str) -> None:
        if name in self._ready_namespaces:
            return
        live = self._client.find(NAMESPACE, name)
        if live and (live["metadata"].get("deletionTimestamp") or live["status"].get("phase") == "Terminating"):
            self._await_end(name)
            live = None
        if live is None:
            metadata = self._saved.get((NAMESPACES, None, saved_name), {"metadata": {}})["metadata"]
            kept = {part: metadata[part] for part in ("labels", "annotations") if metadata.get(part)}
            self._client.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {**kept, "name": name}})
            self.outcomes.setdefault("v1/Namespace", []).append(f"{name}(created)")
        self._ready_namespaces.add(name)

    def _await_end(self, namespace: str) -> None:
        with self._client.watch(NAMESPACE, name=namespace, timeout_seconds=_TERMINATING_SECONDS) as watch:
            if self._client.find(NAMESPACE, namespace) is None or any(event.type == "DELETED" for event in watch):
                return
        message = f"timed out waiting for terminating namespace {namespace} to disappear before restoring"
        raise errors.ApiError(message)

    def _prepare(self, type_name: str, saved: Object, namespace: str | None) -> Object | None:
        """The object to create; None when a volume is to be provisioned anew instead."""
        wanted = strip_object(saved)
        rewrite(type_name, wanted)
        if type_name == _VOLUMES:
            if saved["spec"].get("persistentVolumeReclaimPolicy") == "Delete":
                self._report.info(f"{saved['metadata']['name']}: no snapshot and reclaim policy Delete: provision anew")
                self._to_provision.add(saved["metadata"]["name"])
                return None
            unbind(wanted)
            if claim := wanted["spec"].get("claimRef"):
                claim["namespace"] = self._mapping.get(claim["namespace"], claim["namespace"])
        if type_name == _CLAIMS:
            self._prepare_claim(wanted)
        if type_name == "pods":
            self._bring_claims(saved)
        if namespace:
            wanted["metadata"]["namespace"] = namespace
        wanted["metadata"]["labels"] = {**(wanted["metadata"].get("labels") or {}), **self._labels}
        return wanted

    def _prepare_claim(self, claim: Object) -> None:
        """A claim brings its volume along, or asks for a new one."""
        volume = claim["spec"].get("volumeName")
        if not volume:
            return
        if (key := (_VOLUMES, None, volume)) in self._saved:
            self.restore(key)
        unbind(claim)
        if volume in self._to_provision:
            del claim["spec"]["volumeName"]

    def _bring_claims(self, pod: Object) -> None:
        for volume in pod["spec"].get("volumes") or ():
            if claim := volume.get("persistentVolumeClaim"):
                key = (_CLAIMS, pod["metadata"]["namespace"], claim["claimName"])
                if key in self._saved:
                    self.restore(key)

    def _write(self, type_name: str, saved: Object, wanted: Object) -> str:
        """Create the object, or deal with the one that exists; the outcome in one word."""
        self._report.info(f"Attempting to restore {wanted['kind']}: {wanted['metadata']['name']}")
        try:
            created = self._client.create(wanted)
        except errors.ApiError as error:
            metadata = wanted["metadata"]
            live = (
                None
                if isinstance(error, errors.Closed)
                else self._client.find(Kind.of(wanted), metadata["name"], metadata.get("namespace"))
            )
            if live is None:
                raise
            return self._meet_existing(type_name, live, wanted)
        if type_name == _DEFINITIONS:
            self._await_definition(created)
        if saved.get("status") and self._filter.covers_status(type_name):
            self._restore_status(created, saved["status"])
        return "created"

    def _restore_status(self, created: Object, status: Any) -> None:
        try:
            self._client.update_status({**created, "status": copy.deepcopy(status)})
        except errors.ApiError as error:
            name = created["metadata"]["name"]
            self._report.warn(created["metadata"].get("namespace"), f"status field update failed {name}: {error}")

    def _await_definition(self, created: Object) -> None:
        name = created["metadata"]["name"]
        with self._client.watch(CRD, name=name, timeout_seconds=_ESTABLISH_SECONDS) as watch:
            for event in watch:
                conditions = (event.object.get("status") or {}).get("conditions") or ()
                if any(c["type"] == "Established" and c["status"] == "True" for c in conditions):
                    return
        self._report.fail(None, f"CRD {name} is not available to use for custom resources.")

    def _meet_existing(self, type_name: str, live: Object, wanted: Object) -> str:
        metadata = wanted["metadata"]
        name, namespace = metadata["name"], metadata.get("namespace")
        kind = Kind.of(wanted)
        stripped = strip_object(live)
        stripped["metadata"]["labels"] = {**(stripped["metadata"].get("labels") or {}), **self._labels}
        update = self._spec.get("existingResourcePolicy") == "update"
        if type_name == "serviceaccounts" and not update:
            patch = make_patch(stripped, merge_service_account(stripped, wanted))
        elif stripped == strip_object(wanted):
            self._report.info(f"Restore of {kind.kind}, {name} skipped: it already exists and is the same")
            patch = {"metadata": {"labels": self._labels}} if update else {}
        elif update:
            patch = make_patch(strip_object(live), strip_object(wanted))
        else:
            self._report.warn(
                namespace,
                f'could not restore, {kind.kind} "{name}" already exists. '
                "Warning: the in-cluster version is different than the backed-up version",
            )
            return "failed"
        if not patch:
            return "skipped"
        try:
            self._client.patch_merge(kind, name, patch, namespace)
        except errors.ApiError as error:
            self._report.warn(namespace, str(error))
            return "failed"
        return "updated"


def _key(type_name: str, obj: Object) -> Key:
    return type_name, obj["metadata"].get("namespace"), obj["metadata"]["name"]
