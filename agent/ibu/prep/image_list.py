"""The list of images to precache and from which registry they come (prep.md 8)."""

from __future__ import annotations

from collections.abc import Collection, Iterable

# A ConfigMap holds 1 MiB in all; leave room for its metadata.
MAX_LIST_BYTES = 1_000_000


def needs_override(*, cluster_sources: Collection[str], seed_has_mirror: bool, seed_registry: str) -> bool:
    """Tell whether the seed's registry must be replaced by the cluster's in the image list.

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
