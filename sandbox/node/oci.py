"""Small container images, pushed without an image store."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

from hostops.oci import TITLE, write_image, write_layer
from hostops.runner import Runner


def push_image(
    runner: Runner, scratch: Path, files: Path, reference: str, labels: dict[str, str] | None = None
) -> None:
    """Push an image that holds what is in the folder `files`, to a registry without TLS.

    `scratch` is a folder that does not exist. Raises OSError, CommandError.
    """
    scratch.mkdir()
    layers = []
    for path in sorted(files.iterdir()):
        with write_layer(scratch, path.name, path.stat().st_mode & 0o777) as layer:
            layer.sink.write(path.read_bytes())
        layers.append(layer.layer)
    write_image(scratch, layers, labels or {}, author="lca sandbox")
    target = f"docker://{reference}"
    runner.run("skopeo", "copy", "--preserve-digests", "--dest-tls-verify=false", f"oci:{scratch}:image", target)


def unpack_layout(layout: Path, target: Path) -> dict[str, str]:
    """Unpack the files of the image in an OCI layout into the existing folder `target`; return the image's labels."""

    def read(descriptor: dict[str, str]) -> Path:
        return layout / "blobs" / descriptor["digest"].replace(":", "/")

    index = json.loads((layout / "index.json").read_text())
    manifest = json.loads(read(index["manifests"][0]).read_text())
    for entry in manifest["layers"]:
        with tarfile.open(read(entry)) as archive:
            archive.extract(entry["annotations"][TITLE], target, filter="data")
    labels: dict[str, str] = json.loads(read(manifest["config"]).read_text())["config"]["Labels"]
    return labels
