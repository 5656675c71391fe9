"""crictl: which images CRI-O uses and which it protects."""

from __future__ import annotations

import json
from typing import Any

from hostops.runner import Runner


class CrictlError(Exception):
    """crictl printed something that cannot be read."""


class Crictl:
    """The crictl commands of the upgrade. All raise CommandError and CrictlError."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner

    def images_in_use(self) -> set[str]:
        """Return the image references of all containers, also stopped ones."""
        containers = self._items("containers", "ps", "-a", "-o", "json")
        return {str(reference) for entry in containers if (reference := (entry.get("image") or {}).get("image"))}

    def pinned_image_ids(self) -> set[str]:
        """Return the ids of the images that CRI-O never removes."""
        return {
            str(entry["id"]) for entry in self._items("images", "images", "-o", "json") if entry.get("pinned") is True
        }

    def image_references(self) -> list[str]:
        """Return what the images of the storage are called: their tags, or their digests if they have no tag."""
        images = self._items("images", "images", "-o", "json")
        return [str(name) for entry in images for name in entry.get("repoTags") or entry.get("repoDigests") or ()]

    def _items(self, key: str, *arguments: str) -> list[dict[str, Any]]:
        output = self._runner.run("crictl", *arguments, stdout_only=True).output
        try:
            items = json.loads(output).get(key) or []
        except (ValueError, AttributeError) as error:
            raise CrictlError(f"unable to parse crictl {arguments[0]} command output: {error}") from error
        return [item for item in items if isinstance(item, dict)]
