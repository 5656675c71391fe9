"""The order in which objects are applied: `lca.openshift.io/apply-wave`, then name (prep.md 4.4.2). Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from agent.kube.kind import Object

ANNOTATION = "lca.openshift.io/apply-wave"
DEFAULT_WAVE = 2147483647

_INTEGER = re.compile(r"[+-]?[0-9]+")
_INT64 = range(-(2**63), 2**63)


class WaveError(ValueError):
    """An object's wave is no integer; the text names the value."""


def read_wave(obj: Mapping[str, Any]) -> int:
    """Return the wave of an object; absent or empty means the last documented one. Raises WaveError."""
    value = (get_metadata(obj).get("annotations") or {}).get(ANNOTATION, "")
    if value == "":
        return DEFAULT_WAVE
    if not isinstance(value, str) or not _INTEGER.fullmatch(value):
        raise WaveError(f'error convert: strconv.Atoi: parsing "{str(value)[:40]}": invalid syntax')
    if int(value) not in _INT64:
        raise WaveError(f'error convert: strconv.Atoi: parsing "{value[:40]}": value out of range')
    return int(value)


def group_by_wave(objects: Iterable[Object]) -> list[list[Object]]:
    """Return the objects in groups of equal wave, the lowest first, each sorted by name. Raises WaveError."""
    groups: dict[int, list[Object]] = {}
    for obj in sorted(objects, key=lambda obj: str(get_metadata(obj).get("name", ""))):
        groups.setdefault(read_wave(obj), []).append(obj)
    return [groups[wave] for wave in sorted(groups)]


def get_metadata(obj: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the metadata of an object as a user wrote it: empty when absent."""
    return obj.get("metadata") or {}
