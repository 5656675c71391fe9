"""Getting recert's image, which a seed names but which need not be in the container storage."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from agent.node.waiting import POLL_SECONDS, Clock
from hostops.podman import Podman
from hostops.runner import CommandError

logger = logging.getLogger(__name__)

_PULL_SECONDS = 600.0
_LONGEST_PAUSE_SECONDS = 10.0


def ensure_image(podman: Podman, image: str, authfile: str, proxy: Mapping[str, str], clock: Clock) -> bool:
    """Pull the image unless it is there, for up to ten minutes; say whether it is there now.

    `proxy` is added to the environment of the pull; its values are kept out of messages.
    """
    give_up = clock.now() + _PULL_SECONDS
    pause = POLL_SECONDS
    while not _is_there(podman, image):
        left = give_up - clock.now()
        if left <= 0:
            logger.warning("image %s could not be pulled in %g s", image, _PULL_SECONDS)
            return False
        try:
            podman.pull(image, authfile, proxy=proxy, timeout=left)
        except CommandError as error:
            logger.warning("image %s could not be pulled, trying again: %s", image, error)
            clock.sleep(min(pause, left))
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
    return True


def _is_there(podman: Podman, image: str) -> bool:
    try:
        return podman.has_image(image)
    except CommandError as error:
        logger.warning("whether image %s is there can not be told: %s", image, error)
        return False
