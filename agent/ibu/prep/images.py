"""Which container images Prep may remove to make room, and in which order (prep.md 5)."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

SWITCH_ANNOTATION = "image-cleanup.lca.openshift.io/on-prep"
THRESHOLD_ANNOTATION = "image-cleanup.lca.openshift.io/disk-usage-threshold-percent"
DEFAULT_THRESHOLD_PERCENT = 50

_INTEGER = re.compile(r"[+-]?[0-9]+")


@dataclass(frozen=True, slots=True)
class CleanupPlan:
    """`threshold_percent` of container storage above which images go; None switches clean-up off for `reason`."""

    threshold_percent: int | None
    reason: str = ""


def plan_cleanup(annotations: Mapping[str, str]) -> CleanupPlan:
    """Read the two annotations of the upgrade resource."""
    if annotations.get(SWITCH_ANNOTATION) == "Disabled":
        return CleanupPlan(None, f"annotation {SWITCH_ANNOTATION} is Disabled")
    threshold = annotations.get(THRESHOLD_ANNOTATION)
    if threshold is None:
        return CleanupPlan(DEFAULT_THRESHOLD_PERCENT)
    if not _INTEGER.fullmatch(threshold):
        return CleanupPlan(None, f"annotation {THRESHOLD_ANNOTATION} is not a whole number: {threshold[:40]!r}")
    return CleanupPlan(int(threshold))


@dataclass(frozen=True, slots=True)
class Image:
    """One image of the container storage."""

    image_id: str
    references: tuple[str, ...]
    dangling: bool
    created: int

    @classmethod
    def parse(cls, entry: Mapping[str, Any]) -> Image:
        """Read one entry of `podman images --format json`; absent and null lists are empty."""
        references = (ref for key in ("RepoTags", "RepoDigests", "Names") for ref in entry.get(key) or ())
        return cls(
            image_id=entry["Id"],
            references=tuple(dict.fromkeys(references)),
            dangling=bool(entry.get("Dangling")),
            created=int(entry.get("Created") or 0),
        )


def select_removable(images: Iterable[Image], *, in_use: Collection[str], pinned: Collection[str]) -> list[Image]:
    """Return the images nobody needs: dangling ones first, then the oldest."""

    def is_needed(image: Image) -> bool:
        return image.image_id in pinned or image.image_id in in_use or any(ref in in_use for ref in image.references)

    return sorted((i for i in images if not is_needed(i)), key=lambda i: (not i.dangling, i.created))
