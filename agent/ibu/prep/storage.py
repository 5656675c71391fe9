"""Makes room in the container storage before the seed image is pulled (prep.md 5)."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass

from agent.ibu.ports import Ports
from crds.imagebasedupgrade import ImageBasedUpgrade
from hostops.crictl import Crictl
from hostops.diskspace import measure_disk_space
from hostops.imagecleanup import CleanupError, clean_up_images
from hostops.podman import Podman

logger = logging.getLogger(__name__)

CONTAINER_STORAGE = "/var/lib/containers"
DEFAULT_THRESHOLD_PERCENT = 50
SWITCH_ANNOTATION = "image-cleanup.lca.openshift.io/on-prep"
THRESHOLD_ANNOTATION = "image-cleanup.lca.openshift.io/disk-usage-threshold-percent"

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
        reason = f"annotation {THRESHOLD_ANNOTATION} is not a whole number: {threshold[:40]!r}"
        return CleanupPlan(None, reason)
    return CleanupPlan(int(threshold))


def free_container_storage(cr: ImageBasedUpgrade, ports: Ports) -> None:
    """Remove unneeded images while the storage is fuller than the threshold. Raises hostops' CleanupError."""
    plan = plan_cleanup(cr.metadata.annotations)
    if plan.threshold_percent is None:
        logger.warning("container images are not cleaned up: %s", plan.reason)
        return
    path = ports.root.path(CONTAINER_STORAGE)
    try:
        clean_up_images(
            Podman(ports.runner),
            Crictl(ports.runner),
            plan.threshold_percent,
            lambda: measure_disk_space(path).used_percent,
        )
    except CleanupError as error:
        raise CleanupError(f"failed container storage cleanup: failed during image cleanup: {error}") from error
