"""skopeo: what a registry says about an image, without pulling it; images into a registry."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from hostops.oci import IMAGE_NAME
from hostops.runner import Runner

RETRIES = 2
"""Repeated requests per inspection: skopeo waits 1, 2, 4... s between them, and the caller comes back anyway."""


class InspectError(Exception):
    """The registry's answer cannot be read."""


@dataclass(frozen=True, slots=True)
class RemoteImage:
    """An image in a registry: its labels and the bytes of its compressed layers (0 when nobody tells them)."""

    digest: str
    labels: Mapping[str, str]
    compressed_bytes: int


class Skopeo:
    """The skopeo commands of the upgrade."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner

    def inspect(self, image: str, authfile: str, *, retries: int = RETRIES) -> RemoteImage:
        """Return what the registry knows about `image`; `authfile` is a host path (prep.md 4.6).

        Raises CommandError and InspectError.
        """
        flags = ("--retry-times", str(retries), "--authfile", authfile)
        inspect = ("skopeo", "inspect", *flags)
        answer = self._runner.run(*inspect, "--format", "json", f"docker://{image}", stdout_only=True).output
        if '"LayersData"' in answer:
            return parse_inspection(answer)
        # skopeo before 1.10 keeps the sizes to itself.
        return parse_inspection(
            answer, self._runner.run(*inspect, "--raw", f"docker://{image}", stdout_only=True).output
        )

    def push_layout(self, layout: str, image: str, authfile: str, *, retries: int = RETRIES) -> None:
        """Push the image of an OCI layout as it is: the tag is set last, so there is never half an image under it.

        `layout` and `authfile` are host paths. Raises CommandError.
        """
        flags = ("--retry-times", str(retries), "--authfile", authfile)
        # Without --preserve-digests what is compressed already would be compressed again.
        self._runner.run(
            "skopeo", "copy", *flags, "--preserve-digests", f"oci:{layout}:{IMAGE_NAME}", f"docker://{image}"
        )

    def delete(self, image: str, authfile: str) -> None:
        """Remove an image from its registry; many registries refuse that. Raises CommandError."""
        self._runner.run("skopeo", "delete", "--authfile", authfile, f"docker://{image}")


def parse_inspection(text: str, manifest: str = "{}") -> RemoteImage:
    """Read the JSON of `skopeo inspect` and, for sizes that it lacks, the image's manifest. Raises InspectError."""
    try:
        data = json.loads(text)
        labels = {str(key): str(value) for key, value in (data.get("Labels") or {}).items()}
        sizes = [int(layer.get("Size") or 0) for layer in data.get("LayersData") or []]
        sizes += [int(layer.get("size") or 0) for layer in json.loads(manifest).get("layers") or []]
        return RemoteImage(str(data.get("Digest", "")), labels, sum(sizes))
    except (ValueError, TypeError, AttributeError) as error:
        raise InspectError(f"failed to unmarshal image inspect output: {error}") from error
