"""Making room in the container storage by removing images that nothing uses (prep.md 5)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from hostops.crictl import Crictl, CrictlError
from hostops.podman import Podman, PodmanError, StoredImage
from hostops.runner import CommandError

logger = logging.getLogger(__name__)


class CleanupError(Exception):
    """It can not be told which images may go, or how full the storage is."""


@dataclass(frozen=True, slots=True)
class CleanupReport:
    """What a cleanup did; `used_percent` is the level at its end."""

    removed: int
    failed: int
    used_percent: int


def choose_candidates(
    images: Iterable[StoredImage], in_use: AbstractSet[str], pinned_ids: AbstractSet[str]
) -> list[StoredImage]:
    """Return the removable images in the order of removal: dangling ones first, each part from old to new."""
    free = [image for image in images if image.id not in pinned_ids and not image.references & in_use]
    return sorted(free, key=lambda image: (not image.dangling, image.created))


def find_candidates(podman: Podman, crictl: Crictl) -> list[StoredImage]:
    """Ask CRI-O and podman which images nobody uses. Raises CleanupError."""
    problem = "failure getting list of in-use images: failed to run crictl ps"
    try:
        in_use = crictl.images_in_use()
        problem = "failure getting list of in-use images: failed to run podman ps"
        in_use |= podman.image_ids_in_use()
        problem = "failure getting list of pinned images: failed to run crictl images"
        pinned = crictl.pinned_image_ids()
        problem = "failed to run podman images command"
        images = podman.images()
    except (CommandError, CrictlError, PodmanError) as error:
        raise CleanupError(f"failed to get removal candidates: {problem}: {error}") from error
    return choose_candidates(images, in_use, pinned)


def clean_up_images(
    podman: Podman, crictl: Crictl, threshold_percent: int, measure_used_percent: Callable[[], int]
) -> CleanupReport:
    """Remove unused images one by one until at most `threshold_percent` of the container storage is used.

    `measure_used_percent` looks at the file system (`hostops.diskspace`); OSError from it is raised as CleanupError.
    An image that can not be removed is logged and left. Being above the threshold at the end is no error.
    """
    used = _measure(measure_used_percent)
    if used <= threshold_percent:
        return CleanupReport(0, 0, used)
    removed = failed = 0
    for image in find_candidates(podman, crictl):
        try:
            podman.remove_image(*image.handles)
            removed += 1
        except CommandError as error:
            failed += 1
            logger.warning("image %s stays: %s", image.id, error)
        used = _measure(measure_used_percent)
        if used <= threshold_percent:
            break
    report = CleanupReport(removed, failed, used)
    level = logging.INFO if used <= threshold_percent else logging.WARNING
    logger.log(level, "image cleanup: %s, threshold %d %%", report, threshold_percent)
    return report


def _measure(measure_used_percent: Callable[[], int]) -> int:
    try:
        return measure_used_percent()
    except OSError as error:
        raise CleanupError(f"failed to check container storage disk usage: {error}") from error
