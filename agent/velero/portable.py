"""Objects as another cluster, or the same one after a pivot, can create them. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_GIVEN_BY_SERVER = (
    *("uid", "resourceVersion", "generation", "creationTimestamp", "deletionTimestamp"),
    *("deletionGracePeriodSeconds", "managedFields", "ownerReferences", "selfLink"),
)
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def make_portable(obj: Mapping[str, Any]) -> dict[str, Any]:
    """Return the object without its status and without what belongs to the cluster it was read from.

    Owners go too: their uids mean nothing elsewhere, and an object whose owner is unknown is deleted.
    """
    metadata = obj.get("metadata")
    kept = {k: v for k, v in metadata.items() if k not in _GIVEN_BY_SERVER} if isinstance(metadata, dict) else {}
    annotations = kept.get("annotations")
    if isinstance(annotations, dict) and _LAST_APPLIED in annotations:
        kept["annotations"] = {k: v for k, v in annotations.items() if k != _LAST_APPLIED}
    return {**{k: v for k, v in obj.items() if k != "status"}, "metadata": kept}
