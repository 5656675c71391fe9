"""Whether Backups and Restores have the shape on which all other rules rely. Pure.

The API server refuses wrong types as well, but says so object by object and only where the CRD has a schema.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from agent.kube import Object


def check_types(objects: Iterable[Object]) -> Iterator[str]:
    """Yield a text for each object with a field of another type than a rule could read."""
    for obj in objects:
        if wrong := ", ".join(_find_wrong_types(obj)):
            name = str(obj["metadata"].get("name", ""))[:253]
            yield f"failed to convert to unstructured: {obj['kind']} {name}: {wrong}"


def _find_wrong_types(obj: Object) -> Iterator[str]:
    metadata, spec = obj["metadata"], obj.get("spec")
    for field in ("name", "namespace"):
        if not isinstance(metadata.get(field) or "", str):
            yield f"metadata.{field} is no text"
    if not isinstance(metadata.get("annotations") or {}, dict):
        yield "metadata.annotations is no map"
    if not isinstance(spec or {}, dict):
        yield "spec is no map"
    elif spec and not isinstance(spec.get("backupName") or "", str):
        yield "spec.backupName is no text"
