"""May an image be pushed under this name with these credentials? Tried with a tiny image
(seed-image-and-gitops.md I.9).

It is pushed by its digest, so no name in the registry changes.
"""

from __future__ import annotations

import json
import logging

from hostops import files
from hostops.hostroot import HostRoot
from hostops.oci import write_image, write_layer
from hostops.runner import CommandError, Runner
from hostops.skopeo import Skopeo

logger = logging.getLogger(__name__)

_NAME = "lca-push-probe"


class PushError(Exception):
    """The image can not be pushed; the text says why and names the registry's words."""


def check_push_access(runner: Runner, root: HostRoot, image: str, authfile: str, folder: str) -> None:
    """Push and remove a tiny image in the repository of `image`; host paths, `folder` exists.

    Raises PushError, OSError.
    """
    _check_authfile(root, authfile)
    layout = f"{folder}/{_NAME}"
    visible = root.path(layout)
    files.remove_tree(visible)
    files.make_directory(visible, 0o700)
    try:
        with write_layer(visible, _NAME, created_seconds=0) as file:
            file.sink.write(b"Written to find out whether this repository can be pushed to.\n")
        digest = write_image(visible, [file.layer], {}, author=_NAME, created_seconds=0)
        probe = f"{strip_tag(image)}@{digest}"
        skopeo = Skopeo(runner)
        try:
            skopeo.push_layout(layout, probe, authfile)
        except CommandError as error:
            raise PushError(f"a test image could not be pushed to the repository of {image}: {error}") from error
        try:
            skopeo.delete(probe, authfile)
        except CommandError as error:
            logger.info("the test image stays in the registry, without a name: %s", error)
    finally:
        files.remove_tree(visible)


def strip_tag(image: str) -> str:
    """Return the repository of a pull spec: without digest and tag; a port is no tag."""
    repository = image.partition("@")[0]
    head, colon, tail = repository.rpartition(":")
    return head if colon and "/" not in tail else repository


def check_auth(content: bytes) -> str | None:
    """Return what is wrong with the content of a container auth file, None if nothing is."""
    try:
        auths = json.loads(content)["auths"]
    except (ValueError, LookupError, TypeError):
        return 'it is not a container auth file: JSON such as {"auths":{"quay.io":{"auth":"..."}}}'
    return None if isinstance(auths, dict) else "auths must be an object"


def _check_authfile(root: HostRoot, authfile: str) -> None:
    try:
        content = root.path(authfile).read_bytes()
    except OSError as error:
        raise PushError(f"credentials in {authfile} can not be read: {error.strerror}") from error
    if problem := check_auth(content):
        raise PushError(f"credentials in {authfile} can not be used: {problem}")
