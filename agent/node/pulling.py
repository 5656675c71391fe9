"""Pulling many images, some at a time, each with several attempts."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence

from hostops.podman import Podman
from hostops.runner import CommandError

logger = logging.getLogger(__name__)

DELAYS_SECONDS = (1.0, 2.0, 4.0, 8.0)
"""Pauses between the attempts for one image; one attempt more than pauses."""

UNKNOWN_IMAGE = "manifest unknown"
"""In the registry's answer: there is no such image, and asking again does not help."""


def pull_with_retries(
    podman: Podman, authfile: str, image: str, pause: Callable[[float], None] = time.sleep
) -> CommandError | None:
    """Pull one image; return the error of the last attempt, or None when it is there."""
    for delay_seconds in (*DELAYS_SECONDS, None):
        try:
            podman.pull(image, authfile)
        except CommandError as error:
            if delay_seconds is None or UNKNOWN_IMAGE in error.output:
                return error
            logger.warning("next attempt for %s in %g s", image, delay_seconds)
            pause(delay_seconds)
        else:
            return None
    raise AssertionError("the last attempt returns")


def pull_in_parallel(
    images: Sequence[str], pull: Callable[[str], CommandError | None], at_once: int
) -> Iterator[tuple[str, CommandError | None]]:
    """Pull all images, at most `at_once` at a time, in the order of the list; yield each with its error when it ends.

    The threads are daemons: an interrupted program does not wait for them, and the pulls die with it. What `pull`
    raises is raised here.
    """
    waiting: queue.SimpleQueue[str] = queue.SimpleQueue()
    finished: queue.SimpleQueue[tuple[str, CommandError | None] | Exception] = queue.SimpleQueue()

    def work() -> None:
        while True:
            try:
                image = waiting.get_nowait()
            except queue.Empty:
                return
            try:
                finished.put((image, pull(image)))
            except Exception as error:  # noqa: BLE001 - handed over to the thread that waits
                finished.put(error)

    for image in images:
        waiting.put(image)
    for _ in range(min(at_once, len(images))):
        threading.Thread(target=work, daemon=True).start()
    for _ in images:
        result = finished.get()
        if isinstance(result, Exception):
            raise result
        yield result
