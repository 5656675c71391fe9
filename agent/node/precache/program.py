"""`lca-node precache`: the Job of Prep that pulls the new release's images into the container storage."""

from __future__ import annotations

import argparse
import logging
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from agent.node.ending import ProgramError
from agent.node.precache.progress import PROGRESS_FILE, Progress
from agent.node.pulling import pull_in_parallel, pull_with_retries
from hostops import files
from hostops.hostroot import HostRoot
from hostops.podman import Podman, PodmanError
from hostops.runner import CommandError, HostRunner, Runner
from hostops.scopes import host_scope
from seeds.deployment import read_image_list

logger = logging.getLogger(__name__)

DEFAULT_AT_ONCE = 10
NODE_AUTH_FILE = "/var/lib/kubelet/config.json"


@dataclass(frozen=True, slots=True)
class PrecacheRequest:
    """The images in order, the host path of the credentials, how many pulls at once, and whether some may fail."""

    images: tuple[str, ...]
    authfile: str = NODE_AUTH_FILE
    at_once: int = DEFAULT_AT_ONCE
    best_effort: bool = False


def main(argv: Sequence[str]) -> None:
    """Pull the images that the environment names. Raises ProgramError."""
    argparse.ArgumentParser(prog="lca-node precache", description=__doc__).parse_args(argv)
    try:
        precache(read_environment(os.environ), HostRoot.detect(), HostRunner(host_scope()))
    except (ProgramError, CommandError, PodmanError, OSError) as error:
        raise ProgramError(f"terminating pre-caching job due to error: {error}") from error


def read_environment(environment: Mapping[str, str]) -> PrecacheRequest:
    """Read the variables of the Job (prep.md 9.1). Raises ProgramError, OSError."""
    spec_file = environment.get("PRECACHE_SPEC_FILE")
    if not spec_file:
        raise ProgramError("environment variable PRECACHE_SPEC_FILE is not set")
    if not Path(spec_file).exists():
        raise ProgramError(f"missing precache spec file {spec_file}")
    return PrecacheRequest(
        images=tuple(read_image_list(Path(spec_file).read_text())),
        authfile=environment.get("PULL_SECRET_PATH") or NODE_AUTH_FILE,
        at_once=read_limit(environment.get("MAX_PULL_THREADS", "")),
        best_effort=environment.get("PRECACHE_BEST_EFFORT") == "TRUE",
    )


def read_limit(text: str) -> int:
    """Return how many pulls may run at once: at least 1; the default for what is no number."""
    try:
        return max(1, int(text))
    except ValueError:
        return DEFAULT_AT_ONCE


def precache(
    request: PrecacheRequest, root: HostRoot, runner: Runner, pause: Callable[[float], None] = time.sleep
) -> None:
    """Pull all images and keep the progress file up to date.

    An image that is named by its digest and stored is not asked for again. Raises ProgramError when images are missing
    in the end, unless the request is best effort; CommandError, PodmanError, OSError.
    """
    podman = Podman(runner)
    try:
        stored = {digest for image in podman.images() for digest in image.digests}
    except CommandError as error:
        raise ProgramError(f"failed to execute podman command: {error}") from error
    if not root.path(request.authfile).exists():
        raise ProgramError(f"failed to get authfile for podman: {request.authfile} does not exist on the host")
    path = root.path(PROGRESS_FILE)
    files.make_directory(path.parent, 0o700)
    missing = [image for image in request.images if image not in stored]
    progress = Progress(total=len(request.images), pulled=len(request.images) - len(missing))
    progress.write(path)
    pull = partial(pull_with_retries, podman, request.authfile, pause=pause)
    for image, failure in pull_in_parallel(missing, pull, request.at_once):
        progress = progress.with_failed(image) if failure else progress.with_pulled()
        progress.write(path)
        if failure:
            logger.error("failed to pull %s: %s", image, failure)
    for image in progress.failed:
        if podman.has_image(image):
            progress = progress.with_recovered(image)
    progress.write(path)
    logger.info("total: %d (pulled: %d, failed: %d)", progress.total, progress.pulled, len(progress.failed))
    if progress.failed and not request.best_effort:
        raise ProgramError(f"failed to pre-cache one or more images: {_enumerate(progress.failed)}")


def _enumerate(images: Sequence[str], limit: int = 10) -> str:
    more = f" and {len(images) - limit} more" if len(images) > limit else ""
    return ", ".join(images[:limit]) + more
