"""Finds the objects of a Backup."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from agent.kube import Client, Kind, Object, errors
from sandbox.velero.catalog import Catalog, ResourceType
from sandbox.velero.filters import NAMESPACES, BackupFilter
from sandbox.velero.names import CRD, EXCLUDE_LABEL, NAMESPACE
from sandbox.velero.report import Report
from sandbox.velero.selectors import has_selector, matches_spec

_PERSISTENT_VOLUMES = "persistentvolumes"
_CLAIMS = "persistentvolumeclaims"


class Collection:
    """The objects of one Backup with their types, each once, in the order found."""

    def __init__(self, client: Client, catalog: Catalog, spec: Mapping[str, Any], report: Report) -> None:
        self._client = client
        self._catalog = catalog
        self._spec = spec
        self._report = report
        self._filter = BackupFilter(spec, catalog)
        self._found: dict[tuple[str, str | None, str], tuple[str, Object]] = {}

    def collect(self) -> list[tuple[str, Object]]:
        """Look for everything; what cannot be read is reported as an error. Raises only when the client is closed."""
        namespaces = {item["metadata"]["name"]: item for item in self._client.list(NAMESPACE)}
        for name in self._filter.namespaces.included:
            if name not in namespaces and not any(character in name for character in "*?["):
                self._report.fail(name, f"fail to get the namespace {name} specified in backup.Spec.IncludedNamespaces")
        for type_ in self._catalog.types:
            if type_.name != NAMESPACES and self._filter.covers(type_):
                for obj in self._list(type_, namespaces):
                    if matches_spec(self._spec, obj["metadata"].get("labels") or {}):
                        self._take(type_, obj)
        self._take_namespaces(namespaces)
        if self._filter.brings_definitions():
            self._take_definitions()
        return list(self._found.values())

    def _list(self, type_: ResourceType, namespaces: Mapping[str, Object]) -> Iterator[Object]:
        """All objects of the type in the Backup's namespaces."""
        self._report.info(f"Getting items for resource {type_.name}")
        covered = self._filter.namespaces
        explicit = type_.namespaced and covered.included and "*" not in covered.included
        places = [name for name in namespaces if covered.covers(name)] if explicit else [None]
        for place in places:
            try:
                items = self._client.list(type_.kind, place)
            except errors.Closed:
                raise
            except errors.ApiError as error:
                self._report.fail(place, f"Error listing items of {type_.name}: {error}")
                continue
            for item in items:
                if not type_.namespaced or covered.covers(item["metadata"]["namespace"]):
                    yield item

    def _take(self, type_: ResourceType, obj: Object) -> None:
        metadata = obj["metadata"]
        key = (type_.name, metadata.get("namespace"), metadata["name"])
        if key in self._found:
            return
        if (metadata.get("labels") or {}).get(EXCLUDE_LABEL) == "true" or metadata.get("deletionTimestamp"):
            self._report.info(f"Excluding {type_.name} {metadata['name']}: it is marked so, or being deleted")
            return
        self._found[key] = (type_.name, obj)
        self._report.info(f"Backed up {type_.name} {'/'.join(filter(None, key[1:]))}")
        for related_type, name, namespace in _related(type_.name, obj):
            self._take_related(related_type, name, namespace)

    def _take_related(self, type_name: str, name: str, namespace: str | None) -> None:
        type_ = self._catalog.find(type_name)
        if type_ is None or not self._filter.tolerates(type_):
            return
        if obj := self._client.find(type_.kind, name, namespace):
            self._take(type_, obj)

    def _take_namespaces(self, namespaces: Mapping[str, Object]) -> None:
        """With label selectors: the namespaces that satisfy them and those of chosen objects."""
        type_ = self._catalog.find(NAMESPACES)
        if type_ is None or not self._filter.covers(type_):
            return
        populated = {namespace for _, namespace, _ in self._found}
        for name, obj in namespaces.items():
            labels = obj["metadata"].get("labels") or {}
            chosen = not has_selector(self._spec) or name in populated or matches_spec(self._spec, labels)
            if self._filter.namespaces.covers(name) and chosen:
                self._take(type_, obj)

    def _take_definitions(self) -> None:
        for type_name in list(dict.fromkeys(type_name for type_name, _ in self._found.values())):
            self._take_related(f"customresourcedefinitions.{CRD.group}", type_name, None)


def _related(type_name: str, obj: Object) -> Iterator[tuple[str, str, str | None]]:
    """Type, name and namespace of the objects without which this one is not complete."""
    spec, namespace = obj.get("spec") or {}, obj["metadata"].get("namespace")
    if type_name == _CLAIMS and spec.get("volumeName"):
        yield _PERSISTENT_VOLUMES, spec["volumeName"], None
    if type_name == "pods":
        for volume in spec.get("volumes") or ():
            if claim := volume.get("persistentVolumeClaim"):
                yield _CLAIMS, claim["claimName"], namespace


def describe_objects(objects: list[tuple[str, Object]]) -> dict[str, list[str]]:
    """The resource list file: names by `group/version/Kind`."""
    listing: dict[str, list[str]] = {}
    for _, obj in objects:
        kind, metadata = Kind.of(obj), obj["metadata"]
        name = "/".join(filter(None, (metadata.get("namespace"), metadata["name"])))
        listing.setdefault(f"{kind.api_version}/{kind.kind}", []).append(name)
    return {key: sorted(names) for key, names in sorted(listing.items())}
