"""Manifests that came over the pivot in files (post-pivot-and-rollback.md 7)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from agent.kube import Object
from agent.kube.manifests import ApplyError, apply_manifest, decode_stream
from agent.node.postpivot.api import tell_patience_seconds
from agent.node.postpivot.run import PostPivot, StepError
from seeds.handover import CLUSTER_MANIFESTS, INSTALLER_MANIFESTS


def apply_cluster_manifests(run: PostPivot) -> None:
    """Apply what the old cluster, or the installation, wants to have again."""
    apply_folder(run, CLUSTER_MANIFESTS)


def apply_installer_manifests(run: PostPivot) -> None:
    """Apply the further manifests of an installation from an image; an upgrade has none."""
    if run.root.path(INSTALLER_MANIFESTS).is_dir():
        apply_folder(run, INSTALLER_MANIFESTS)


def apply_folder(run: PostPivot, folder: str) -> None:
    """Apply all manifests of the host folder in the order of their files; nothing if one can not be read.

    Raises StepError.
    """
    objects, problems = read_manifests(run.root.path(folder))
    if problems:
        raise StepError("; ".join(problems))
    retrier = run.make_retrier(tell_patience_seconds)
    try:
        for obj in objects:
            retrier.call(lambda obj=obj: apply_manifest(run.client, obj))  # type: ignore[misc]
    except ApplyError as error:
        raise StepError(f"failed to apply manifest: {error}") from error


def read_manifests(folder: Path) -> tuple[list[Object], list[str]]:
    """Return the objects of all files by name, lists taken apart, and a text for each problem. Raises OSError."""
    objects: list[Object] = []
    problems: list[str] = []
    for file in sorted(folder.iterdir()):
        try:
            content = file.read_bytes()
        except OSError as error:
            problems.append(f"failed to read manifest {file.name}: {error.strerror}")
            continue
        found, wrong = decode_stream(content)
        for obj in found:
            items = obj["items"] if isinstance(obj.get("items"), list) else [obj]
            wrong += [f"item {number} is no object" for number, item in enumerate(items) if not _is_object(item)]
            objects += filter(_is_object, items)
        problems += [f"failed to decode manifest {file.name}: {problem}" for problem in wrong]
    return objects, problems


def _is_object(item: Any) -> bool:
    return isinstance(item, dict) and all(isinstance(item.get(key), str) for key in ("apiVersion", "kind"))
