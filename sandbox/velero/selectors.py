"""Label selectors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Labels = Mapping[str, str]


def matches(selector: Mapping[str, Any], labels: Labels) -> bool:
    """Whether the labels satisfy a `metav1.LabelSelector`; an empty one is satisfied by all."""
    pairs = (selector.get("matchLabels") or {}).items()
    return all(labels.get(key) == value for key, value in pairs) and all(
        _satisfies(requirement, labels) for requirement in selector.get("matchExpressions") or ()
    )


def matches_spec(spec: Mapping[str, Any], labels: Labels) -> bool:
    """Whether an object with these labels is chosen by a Backup's or Restore's `labelSelector`/`orLabelSelectors`."""
    if alternatives := spec.get("orLabelSelectors"):
        return any(matches(selector, labels) for selector in alternatives)
    return matches(spec.get("labelSelector") or {}, labels)


def has_selector(spec: Mapping[str, Any]) -> bool:
    """Whether a Backup or Restore chooses by labels at all."""
    return bool(spec.get("orLabelSelectors") or spec.get("labelSelector"))


def _satisfies(requirement: Mapping[str, Any], labels: Labels) -> bool:
    value = labels.get(requirement["key"])
    match requirement["operator"]:
        case "In":
            return value in (requirement.get("values") or ())
        case "NotIn":
            return value not in (requirement.get("values") or ())
        case "Exists":
            return value is not None
        case _:
            return value is None
