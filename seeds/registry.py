"""From which registry images of the release come (prep.md 8, post-pivot-and-rollback.md 5.3). Pure functions."""

from __future__ import annotations

from collections.abc import Collection, Iterable


def needs_override(*, cluster_sources: Collection[str], seed_has_mirror: bool, seed_registry: str) -> bool:
    """Tell whether the seed's registry must be replaced by the cluster's.

    `cluster_sources`: registries that the cluster mirrors. A mirrored cluster reaches the seed's registry only through
    a mirror for it; an unmirrored cluster can not use the mirror registry of the seed.
    """
    if cluster_sources:
        return seed_registry not in cluster_sources
    return seed_has_mirror


def override_registry(images: Iterable[str], *, seed_registry: str, cluster_registry: str) -> list[str]:
    """Replace the registry component `seed_registry` of each reference by `cluster_registry`."""
    if not seed_registry or not cluster_registry:
        return list(images)
    prefix = f"{seed_registry}/"
    return [f"{cluster_registry}/{i.removeprefix(prefix)}" if i.startswith(prefix) else i for i in images]


def get_registry(reference: str) -> str:
    """Return the registry component of an image reference: the text before the first slash."""
    return reference.partition("/")[0]
