"""podman: images in the host's container storage."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hostops.runner import CommandError, Runner


class PodmanError(Exception):
    """podman printed something that cannot be read."""


@dataclass(frozen=True, slots=True)
class StoredImage:
    """One image of the container storage. `created` is in seconds since 1970."""

    id: str
    created: int
    dangling: bool
    tags: tuple[str, ...] = ()
    digests: tuple[str, ...] = ()
    names: tuple[str, ...] = ()

    @property
    def references(self) -> frozenset[str]:
        """Everything by which a container may refer to this image."""
        return frozenset((self.id, *self.tags, *self.digests, *self.names))

    @property
    def handles(self) -> tuple[str, ...]:
        """What to remove so that the image goes: all names (podman refuses the id of one with several), else the id."""
        return tuple(dict.fromkeys((*self.names, *self.tags))) or (self.id,)


def list_proxy_secrets(proxy: Mapping[str, str]) -> tuple[str, ...]:
    """Return those values of an environment that names a proxy which may hold a password."""
    return tuple(value for name, value in proxy.items() if name.upper() != "NO_PROXY")


@dataclass(frozen=True, slots=True)
class ContainerState:
    """What podman keeps of a container: `status` is `created`, `running`, `exited`..."""

    status: str
    exit_code: int


class Podman:
    """The podman commands of the upgrade. All raise CommandError."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner

    def pull(
        self, image: str, authfile: str, *, proxy: Mapping[str, str] | None = None, timeout: float | None = None
    ) -> None:
        """Pull an image; `authfile` is a host path, `proxy` the environment that names a proxy, maybe with password."""
        secrets = list_proxy_secrets(proxy or {})
        self._runner.run("podman", "pull", "--authfile", authfile, image, timeout=timeout, env=proxy, secrets=secrets)

    def has_image(self, image: str) -> bool:
        """Say whether the image is in the container storage."""
        return self._runner.run("podman", "image", "exists", image, ok=(0, 1)).code == 0

    def mount_image(self, image: str) -> str:
        """Mount an image read-only and return the host path of its root; a mounted one is not mounted twice."""
        return self._runner.run("podman", "image", "mount", image, stdout_only=True).output

    def is_mounted(self, image: str) -> bool:
        """Say whether `mount_image` is in effect."""
        mounted = self._list("podman", "image", "mount", "--format", "json", "--log-level", "error")
        return any(image in (entry.get("Repositories") or []) for entry in mounted)

    def unmount_image(self, image: str) -> None:
        """Undo `mount_image`, however often it was called."""
        self._runner.run("podman", "image", "umount", "--force", image)

    def remove_image(self, *references: str) -> None:
        """Remove an image by one or more of its references."""
        self._runner.run("podman", "rmi", *references)

    def prune_dangling(self) -> None:
        """Remove images without a name."""
        self._runner.run("podman", "image", "prune", "-f")

    def stop_container(self, name: str) -> None:
        """Stop a container. Raises CommandError, also when there is none."""
        self._runner.run("podman", "stop", name)

    def remove_container(self, name: str) -> None:
        """Remove a container, also a running one; absence is fine."""
        self._runner.run("podman", "rm", "-i", "-f", name)

    def find_container(self, name: str) -> ContainerState | None:
        """Return the state of a container, None when there is none (seed-image-and-gitops.md A.8).

        Raises PodmanError besides.
        """
        inspect = ("podman", "inspect", "--format", "json", "--log-level", "error", name)
        try:
            answer = self._runner.run(*inspect, stdout_only=True).output
        except CommandError as error:
            if "no such" in error.output:
                return None
            raise
        try:
            found = [ContainerState(str(e["State"]["Status"]), int(e["State"]["ExitCode"])) for e in json.loads(answer)]
        except (ValueError, TypeError, KeyError) as error:
            raise PodmanError(f"unable to parse podman inspect command output: {answer} with error: {error}") from error
        if len(found) != 1:
            raise PodmanError(f"expected 1 item in podman inspect output, got {len(found)}")
        return found[0]

    def images(self) -> list[StoredImage]:
        """Return all images, each once (podman lists one per name). Raises PodmanError besides."""
        listed = self._list("podman", "images", "--format", "json", "--log-level", "error")
        images = [_parse_image(entry) for entry in listed]
        return list({image.id: image for image in images}.values())

    def image_ids_in_use(self) -> set[str]:
        """Return the ids of the images of all podman containers, also stopped ones. Raises PodmanError besides."""
        containers = self._list("podman", "ps", "-a", "--format", "json", "--log-level", "error")
        return {str(entry["ImageID"]) for entry in containers if entry.get("ImageID")}

    def _list(self, *argv: str) -> list[dict[str, Any]]:
        output = self._runner.run(*argv, stdout_only=True).output
        try:
            entries = json.loads(output or "[]") or []
        except ValueError as error:
            raise PodmanError(f"unable to parse {' '.join(argv[:3])} command output: {error}") from error
        if not (isinstance(entries, list) and all(isinstance(entry, dict) for entry in entries)):
            raise PodmanError(f"unable to parse {' '.join(argv[:3])} command output: not a list of objects")
        return entries


def _parse_image(entry: dict[str, Any]) -> StoredImage:
    return StoredImage(
        id=str(entry.get("Id", "")),
        created=int(entry.get("Created") or 0),
        dangling=bool(entry.get("Dangling")),
        tags=tuple(entry.get("RepoTags") or ()),
        digests=tuple(entry.get("RepoDigests") or ()),
        names=tuple(entry.get("Names") or ()),
    )
