"""skopeo: what a registry says about an image, without pulling it; images into a registry."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from hostops.oci import IMAGE_NAME, TITLE
from hostops.runner import Runner

RETRIES = 2
"""Repeated requests per inspection: skopeo waits 1, 2, 4... s between them, and the caller comes back anyway."""

TIMEOUT_SECONDS = 60.0
"""Of one inspection with its retries: a registry that never answers must not block the caller."""


class InspectError(Exception):
    """The registry's answer cannot be read."""


@dataclass(frozen=True, slots=True)
class RemoteLayer:
    """A layer in a registry; `title` names the one file in it, "" when the image does not tell."""

    title: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class RemoteImage:
    """An image in a registry: its labels and the bytes of its compressed layers (0 when nobody tells them)."""

    digest: str
    labels: Mapping[str, str]
    compressed_bytes: int
    layers: tuple[RemoteLayer, ...] = ()


class Skopeo:
    """The skopeo commands of the upgrade."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner

    def inspect(
        self,
        image: str,
        authfile: str,
        *,
        retries: int = RETRIES,
        timeout_seconds: float = TIMEOUT_SECONDS,
        tls_verify: bool = True,
    ) -> RemoteImage:
        """Return what the registry knows about `image`; `authfile` is a host path (prep.md 4.6).

        With an empty `authfile` skopeo looks for credentials in its usual places. Raises CommandError and InspectError.
        """
        flags = ["--retry-times", str(retries), *(("--authfile", authfile) if authfile else ())]
        flags += () if tls_verify else ("--tls-verify=false",)

        def ask(*form: str) -> str:
            return self._runner.run(
                "skopeo", "inspect", *flags, *form, f"docker://{image}", stdout_only=True, timeout=timeout_seconds
            ).output

        answer = ask("--format", "json")
        # skopeo before 1.10 keeps the sizes to itself.
        return parse_inspection(answer) if '"LayersData"' in answer else parse_inspection(answer, ask("--raw"))

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
        entries = [(layer.get("Size"), layer.get("Annotations")) for layer in data.get("LayersData") or []]
        entries += [(e.get("size"), e.get("annotations")) for e in json.loads(manifest).get("layers") or []]
        layers = tuple(RemoteLayer(str((notes or {}).get(TITLE, "")), int(size or 0)) for size, notes in entries)
        sizes = sum(layer.size_bytes for layer in layers)
        return RemoteImage(str(data.get("Digest", "")), labels, sizes, layers)
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise InspectError(f"failed to unmarshal image inspect output: {error}") from error
