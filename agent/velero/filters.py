"""Which resources a Backup's or Restore's filters let through, as Velero reads them (upgrade-and-oadp.md 17). Pure.

Names count in any case, in singular, plural and short form, with or without the group.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

_SCOPED_KEYS = (
    "includedNamespaceScopedResources",
    "excludedNamespaceScopedResources",
    "includedClusterScopedResources",
    "excludedClusterScopedResources",
)


@dataclass(frozen=True, slots=True)
class ResourceName:
    """One resource with every name a filter may use for it."""

    preferred: str
    names: frozenset[str]
    cluster_scoped: bool

    def is_in(self, listed: Iterable[str] | None) -> bool:
        """Tell whether a filter list names this resource or everything."""
        return any(str(item) == "*" or str(item).lower() in self.names for item in listed or ())


CLAIMS = ResourceName(
    "persistentvolumeclaims",
    frozenset({"persistentvolumeclaims", "persistentvolumeclaim", "pvc"}),
    cluster_scoped=False,
)
VOLUMES = ResourceName(
    "persistentVolumes", frozenset({"persistentvolumes", "persistentvolume", "pv"}), cluster_scoped=True
)
LOGICAL_VOLUMES = ResourceName(
    "logicalvolumes.topolvm.io",
    frozenset({"logicalvolumes", "logicalvolume", "logicalvolumes.topolvm.io", "logicalvolume.topolvm.io"}),
    cluster_scoped=True,
)


def uses_scoped_lists(spec: Mapping[str, Any]) -> bool:
    """Tell whether the Backup uses the filters that are split by scope; they can not be mixed with the old ones."""
    return any(spec.get(key) for key in _SCOPED_KEYS)


def takes_namespace(spec: Mapping[str, Any], namespace: str) -> bool:
    """Tell whether objects of `namespace` pass."""
    included, excluded = spec.get("includedNamespaces") or (), spec.get("excludedNamespaces") or ()
    return namespace not in excluded and (not included or "*" in included or namespace in included)


def backup_takes(spec: Mapping[str, Any], resource: ResourceName, *, related: bool = False) -> bool:
    """Tell whether a Backup with this spec saves `resource`.

    `related`: the object belongs to a saved one (a volume to its claim), which is enough where cluster-scoped resources
    are not filtered explicitly.
    """
    if uses_scoped_lists(spec):
        return _scoped_backup_takes(spec, resource, related=related)
    if resource.is_in(spec.get("excludedResources")):
        return False
    included = spec.get("includedResources")
    if included and not resource.is_in(included):
        return False
    if not resource.cluster_scoped:
        return True
    everything = spec.get("includeClusterResources")
    if everything is None:
        namespaces = spec.get("includedNamespaces") or ("*",)
        return related or "*" in namespaces
    return bool(everything)


def _scoped_backup_takes(spec: Mapping[str, Any], resource: ResourceName, *, related: bool) -> bool:
    scope = "ClusterScopedResources" if resource.cluster_scoped else "NamespaceScopedResources"
    if resource.is_in(spec.get(f"excluded{scope}")):
        return False
    included = spec.get(f"included{scope}")
    if included:
        return resource.is_in(included)
    return related or not resource.cluster_scoped


def restore_takes(spec: Mapping[str, Any], resource: ResourceName) -> bool:
    """Tell whether a Restore with this spec brings `resource` back when its Backup holds it."""
    if resource.is_in(spec.get("excludedResources")):
        return False
    included = spec.get("includedResources")
    if included and not resource.is_in(included):
        return False
    return not (resource.cluster_scoped and spec.get("includeClusterResources") is False)


def restores_status_of(spec: Mapping[str, Any], resource: ResourceName) -> bool:
    """Tell whether a Restore brings the status back too; an empty include list means every resource."""
    status = spec.get("restoreStatus")
    if status is None or resource.is_in(status.get("excludedResources")):
        return False
    included = status.get("includedResources")
    return not included or resource.is_in(included)


def labels_match(selector: Mapping[str, Any] | None, labels: Mapping[str, str]) -> bool:
    """Evaluate a Kubernetes label selector; an absent one matches everything."""
    if not selector:
        return True
    if any(labels.get(key) != value for key, value in (selector.get("matchLabels") or {}).items()):
        return False
    return all(_expression_matches(e, labels) for e in selector.get("matchExpressions") or ())


def _expression_matches(expression: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    key, values = expression.get("key", ""), expression.get("values") or ()
    match expression.get("operator"):
        case "In":
            return labels.get(key) in values
        case "NotIn":
            return labels.get(key) not in values
        case "Exists":
            return key in labels
        case "DoesNotExist":
            return key not in labels
    return False
