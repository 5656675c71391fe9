"""Merging a manifest into the object that exists, by the rules of ACM's `musthave` (prep.md 4.4.4). Pure.

The manifest wins where both say something; what only the existing object says stays, also in lists.
"""

from __future__ import annotations

import copy
import json
from typing import Any

from agent.kube.kind import Object
from agent.kube.manifests.quantity import parse_quantity


def merge_manifest(manifest: Object, existing: Object) -> Object:
    """Return the manifest merged into the existing object; neither is changed."""
    merged: Object = copy.deepcopy(_merge(manifest, existing))
    return merged


def _merge(wanted: Any, existing: Any) -> Any:
    if isinstance(wanted, dict) and isinstance(existing, dict):
        shared = {key: _merge(value, existing[key]) if key in existing else value for key, value in wanted.items()}
        return {**shared, **{key: value for key, value in existing.items() if key not in wanted}}
    if isinstance(wanted, list) and isinstance(existing, list):
        return _merge_lists(wanted, existing)
    if wanted is None and isinstance(existing, dict):
        return existing
    return wanted


def _merge_lists(wanted: list[Any], existing: list[Any]) -> list[Any]:
    """Keep the order of the manifest's items, each merged with the item it stands for; append the others."""
    result = list(wanted)
    used: set[int] = set()
    missing = []
    for item, count in _count_distinct(existing):
        found = 0
        for index, candidate in enumerate(result[: len(wanted)]):
            if found == count:
                break
            if index in used:
                continue
            merged = _merge(candidate, item) if isinstance(candidate, dict) and isinstance(item, dict) else candidate
            if _has_same_name(candidate, item) or _covers(merged, item):
                result[index] = merged
                used.add(index)
                found += 1
        missing += [item] * (count - found)
    return result + missing


def _count_distinct(items: list[Any]) -> list[tuple[Any, int]]:
    counts: dict[str, tuple[Any, int]] = {}
    for item in items:
        key = json.dumps(item, sort_keys=True)
        counts[key] = (item, counts.get(key, (item, 0))[1] + 1)
    return list(counts.values())


def _has_same_name(one: Any, other: Any) -> bool:
    if not isinstance(one, dict) or not isinstance(other, dict):
        return False
    name = one.get("name")
    return isinstance(name, str) and name != "" and name == other.get("name")


def _covers(merged: Any, existing: Any) -> bool:
    """Whether nothing in `existing` would change by `merged`; lists may be in another order."""
    if isinstance(merged, dict):
        if not isinstance(existing, dict) or len(merged) < len(existing):
            return False
        return all(
            _covers(value, existing[key]) if key in existing else _is_zero(value) for key, value in merged.items()
        )
    if isinstance(merged, list):
        return isinstance(existing, list) and _same_items(merged, existing)
    return _same_scalar(merged, existing)


def _is_zero(value: Any) -> bool:
    """Whether leaving the field out means the same; an empty text does not."""
    return not value and not isinstance(value, str)


def _same_items(one: list[Any], other: list[Any]) -> bool:
    left = list(other)
    for item in one:
        match = next((index for index, candidate in enumerate(left) if _covers(item, candidate)), None)
        if match is None:
            return False
        del left[match]
    return not left


def _same_scalar(one: Any, other: Any) -> bool:
    if isinstance(one, str) and isinstance(other, str):
        quantity = parse_quantity(one)
        return one == other or (quantity is not None and quantity == parse_quantity(other))
    if _is_number(one) and _is_number(other):
        return bool(one == other)
    return not isinstance(other, (dict, list)) and _print(one) == _print(other)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _print(value: Any) -> str:
    """Print a scalar as both sides of a mixed comparison are printed: a quoted number equals the number."""
    return value if isinstance(value, str) else json.dumps(value)
