"""The order in which manifests are applied (prep.md 4.4.2, upgrade-and-oadp.md 4.1). Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import groupby

from agent.kube.kind import Object

WAVE_ANNOTATION = "lca.openshift.io/apply-wave"
DEFAULT_WAVE = 2**31 - 1

_INTEGER = re.compile(r"[+-]?[0-9]+")
_INT64 = range(-(2**63), 2**63)


class WaveError(ValueError):
    """An apply-wave is no integer; the text ends the documented message of the caller."""


def read_wave(obj: Object) -> int:
    """Return the wave of an object; absent or empty is the last one.

    Annotations of which one is no string are not annotations for the API, hence no wave either. Raises WaveError.
    """
    annotations = (obj.get("metadata") or {}).get("annotations") or {}
    readable = isinstance(annotations, dict) and all(isinstance(value, str) for value in annotations.values())
    text = annotations.get(WAVE_ANNOTATION, "") if readable else ""
    if text == "":
        return DEFAULT_WAVE
    if not _INTEGER.fullmatch(text):
        raise WaveError(f'error convert: strconv.Atoi: parsing "{text[:80]}": invalid syntax')
    if len(text) > 80 or int(text) not in _INT64:
        raise WaveError(f'error convert: strconv.Atoi: parsing "{text[:80]}": value out of range')
    return int(text)


def group_by_wave(objects: Iterable[Object]) -> list[list[Object]]:
    """Return groups of equal wave, the lowest first, each sorted by name (equal names as given). Raises WaveError."""
    ordered = sorted(objects, key=lambda obj: (read_wave(obj), _name(obj)))
    return [list(group) for _, group in groupby(ordered, key=read_wave)]


def _name(obj: Object) -> str:
    name = (obj.get("metadata") or {}).get("name")
    return name if isinstance(name, str) else ""
