"""Which types and namespaces a Backup or Restore concerns; pure.

Rules of Velero: an empty list of included names means all; `*` means all; excluded wins. The older filters
(`includedResources`, `includeClusterResources`) speak of all types, the newer ones of namespaced and of cluster-scoped
types separately; where a Backup names neither cluster-scoped types nor all namespaces, only those come along that
belong to chosen objects.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sandbox.velero.catalog import Catalog, ResourceType

NAMESPACES = "namespaces"
OLD_FILTERS = ("includedResources", "excludedResources", "includeClusterResources")
NEW_FILTERS = tuple(
    f"{verb}{scope}Resources" for verb in ("included", "excluded") for scope in ("ClusterScoped", "NamespaceScoped")
)
NON_RESTORABLE = (
    "nodes",
    "events",
    "events.events.k8s.io",
    "backups.velero.io",
    "restores.velero.io",
    "resticrepositories.velero.io",
    "csinodes.storage.k8s.io",
    "volumeattachments.storage.k8s.io",
    "backuprepositories.velero.io",
)


@dataclass(frozen=True)
class Names:
    """Included and excluded names, which may be patterns."""

    included: tuple[str, ...]
    excluded: tuple[str, ...]

    @classmethod
    def of(
        cls, included: Iterable[str] | None, excluded: Iterable[str] | None, as_name: Callable[[str], str] = str
    ) -> Names:
        """From two lists of a spec; `as_name` turns each entry into the form that is asked for."""
        return cls(
            *(tuple("*" if name == "*" else as_name(name) for name in names or ()) for names in (included, excluded))
        )

    @property
    def everything(self) -> bool:
        return not self.excluded and (not self.included or "*" in self.included)

    def excludes(self, name: str) -> bool:
        return any(fnmatch.fnmatchcase(name, pattern) for pattern in self.excluded)

    def names(self, name: str) -> bool:
        """Whether the name is included by an entry (not merely because nothing is)."""
        return any(fnmatch.fnmatchcase(name, pattern) for pattern in self.included)

    def covers(self, name: str) -> bool:
        return not self.excludes(name) and (not self.included or self.names(name))


class BackupFilter:
    """The filters of one Backup's spec."""

    def __init__(self, spec: Mapping[str, Any], catalog: Catalog) -> None:
        def resources(scope: str) -> Names:
            included, excluded = (spec.get(f"{verb}{scope}Resources") for verb in ("included", "excluded"))
            return Names.of(included, excluded, catalog.canonical)

        self.namespaces = Names.of(spec.get("includedNamespaces"), spec.get("excludedNamespaces"))
        self._any, self._cluster, self._namespaced = map(resources, ("", "ClusterScoped", "NamespaceScoped"))
        self._with_cluster = spec.get("includeClusterResources")
        self._new = any(spec.get(name) for name in NEW_FILTERS)

    def covers(self, type_: ResourceType) -> bool:
        """Whether objects of this type are looked for."""
        if not self._new:
            if not type_.namespaced and type_.name != NAMESPACES and not self._wants_cluster_scoped():
                return False
            return self._any.covers(type_.name)
        if type_.namespaced:
            return self._namespaced.covers(type_.name)
        if self._cluster.excludes(type_.name):
            return False
        if not self._cluster.included and not self._cluster.excluded:
            full = self.namespaces.everything and self._namespaced.everything
            return full or type_.name == NAMESPACES
        return self._cluster.names(type_.name) or type_.name == NAMESPACES

    def tolerates(self, type_: ResourceType) -> bool:
        """Whether an object of this type may come along with one that was chosen."""
        if type_.namespaced:
            return self.covers(type_)
        if self._new:
            return not self._cluster.excludes(type_.name)
        return self._with_cluster is not False and not self._any.excludes(type_.name)

    def brings_definitions(self) -> bool:
        """Whether the CRDs of chosen custom objects come along."""
        return self._with_cluster is None

    def _wants_cluster_scoped(self) -> bool:
        return self.namespaces.everything if self._with_cluster is None else bool(self._with_cluster)


class RestoreFilter:
    """The filters of one Restore's spec."""

    def __init__(self, spec: Mapping[str, Any], catalog: Catalog) -> None:
        self.namespaces = Names.of(spec.get("includedNamespaces"), spec.get("excludedNamespaces"))
        excluded = [*(spec.get("excludedResources") or ()), *NON_RESTORABLE]
        self._resources = Names.of(spec.get("includedResources"), excluded, catalog.canonical)
        self._with_cluster = spec.get("includeClusterResources")
        status = spec.get("restoreStatus")
        self._status = (
            None
            if status is None
            else Names.of(status.get("includedResources"), status.get("excludedResources"), catalog.canonical)
        )

    def covers_type(self, name: str) -> bool:
        """Whether objects of the type `plural.group` are restored."""
        return self._resources.covers(name)

    def covers_cluster_scoped(self) -> bool:
        """Whether cluster-scoped objects are restored for their own sake."""
        if self._with_cluster is None:
            return self.namespaces.everything
        return bool(self._with_cluster)

    def tolerates_cluster_scoped(self) -> bool:
        """Whether cluster-scoped objects may come along with others."""
        return self._with_cluster is not False

    def covers_status(self, name: str) -> bool:
        """Whether the status of this type's objects is restored too."""
        return self._status is not None and self._status.covers(name)


def check_lists(included: Iterable[str] | None, excluded: Iterable[str] | None) -> list[str]:
    """What is wrong with a pair of lists; texts of Velero."""
    includes, excludes = set(included or ()), set(excluded or ())
    problems = []
    if "*" in includes and len(includes) > 1:
        problems.append("includes list must either contain '*' only, or a non-empty list of items")
    if "*" in excludes:
        problems.append("excludes list cannot contain '*'")
    problems += [
        f"excludes list cannot contain an item in the includes list: {name}" for name in sorted(excludes & includes)
    ]
    return problems


def check_scoped_lists(included: Iterable[str] | None, excluded: Iterable[str] | None) -> list[str]:
    """The same for the newer filters, where `*` may be excluded."""
    includes, excludes = set(included or ()), set(excluded or ())
    if "*" in includes and len(includes) > 1:
        return ["includes list must either contain '*' only, or a non-empty list of items"]
    if "*" in excludes and len(excludes) > 1:
        return ["excludes list must either contain '*' only, or a non-empty list of items"]
    if "*" in excludes and includes:
        return ["when exclude is '*', include cannot have value"]
    return [
        f"excludes list cannot contain an item in the includes list: {name}" for name in sorted(excludes & includes)
    ]
