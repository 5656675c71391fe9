"""Container images as OCI layouts, written without a container storage.

Each file is a layer of its own and lies in the layout once, uncompressed: what is worth compressing is compressed
already, registries take such layers as they are, and nothing is read twice to be packed again.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import platform
import tarfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

TITLE = "org.opencontainers.image.title"
"""Annotation of a layer that names the one file in it."""

IMAGE_NAME = "image"
"""Name of the one image in a layout."""

_MEDIA = "application/vnd.oci.image"
_BLOCK = 512
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "ppc64le": "ppc64le", "s390x": "s390x"}


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer that holds the file `name` at its root; `size_bytes` is that of the blob."""

    name: str
    digest: str
    size_bytes: int


class LayerFile:
    """The content of a file on its way into a layer; `layer` is known at the end of the block that opened it."""

    def __init__(self, sink: BinaryIO) -> None:
        self.sink = sink
        self._layer: Layer | None = None

    @property
    def layer(self) -> Layer:
        """The finished layer."""
        assert self._layer is not None, "the layer is not finished"
        return self._layer

    def finish(self, layer: Layer) -> None:
        """Tell what became of it."""
        self._layer = layer


@contextlib.contextmanager
def write_layer(
    layout: Path, name: str, mode: int = 0o644, *, created_seconds: float | None = None
) -> Iterator[LayerFile]:
    """Yield where to write the content of the file `name`; the blob gets its place when the block ends well.

    `created_seconds` (since 1970, default: now) is the file's time. Raises OSError; nothing stays behind then.
    """
    blobs = layout / "blobs/sha256"
    blobs.mkdir(parents=True, exist_ok=True)
    unfinished = blobs / f".{name}"
    try:
        with unfinished.open("w+b") as blob:
            blob.seek(_BLOCK)
            file = LayerFile(blob)
            yield file
            size = blob.tell() - _BLOCK
            blob.write(b"\0" * (-size % _BLOCK + 2 * _BLOCK))
            total = blob.tell()
            blob.seek(0)
            blob.write(_make_header(name, size, mode, time.time() if created_seconds is None else created_seconds))
            blob.seek(0)
            digest = hashlib.file_digest(blob, "sha256").hexdigest()
        unfinished.replace(blobs / digest)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise
    file.finish(Layer(name, f"sha256:{digest}", total))


def _make_header(name: str, size: int, mode: int, created_seconds: float) -> bytes:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode, entry.mtime = size, mode, int(created_seconds)
    header = entry.tobuf(tarfile.GNU_FORMAT)
    assert len(header) == _BLOCK, "a long name needs more than one block"
    return header


def write_image(
    layout: Path,
    layers: Sequence[Layer],
    labels: Mapping[str, str],
    *,
    author: str,
    created_seconds: float | None = None,
) -> str:
    """Complete the layout by the image of `layers`; return the manifest's digest. Raises OSError.

    Equal arguments, with the time of its creation (since 1970, default: now) among them, give an equal digest.
    """
    machine = platform.machine()
    config = {
        "architecture": _ARCHITECTURES.get(machine, machine),
        "os": "linux",
        "created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(created_seconds)),
        "config": {"Labels": dict(labels)},
        # A layer that is not compressed has the same digest inside and outside.
        "rootfs": {"type": "layers", "diff_ids": [layer.digest for layer in layers]},
        "history": [{"created_by": f"{author}: {layer.name}"} for layer in layers],
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": f"{_MEDIA}.manifest.v1+json",
        "config": _store_json(layout, config, f"{_MEDIA}.config.v1+json"),
        "layers": [
            {
                "mediaType": f"{_MEDIA}.layer.v1.tar",
                "digest": layer.digest,
                "size": layer.size_bytes,
                "annotations": {TITLE: layer.name},
            }
            for layer in layers
        ],
    }
    entry = _store_json(layout, manifest, f"{_MEDIA}.manifest.v1+json")
    entry["annotations"] = {"org.opencontainers.image.ref.name": IMAGE_NAME}
    (layout / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    (layout / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [entry]}))
    return str(entry["digest"])


def _store_json(layout: Path, value: Any, media_type: str) -> dict[str, Any]:
    content = json.dumps(value).encode()
    digest = hashlib.sha256(content).hexdigest()
    (layout / "blobs/sha256").mkdir(parents=True, exist_ok=True)
    (layout / "blobs/sha256" / digest).write_bytes(content)
    return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(content)}


def remove_unknown_blobs(layout: Path, layers: Sequence[Layer]) -> None:
    """Remove what interrupted runs left between the blobs of `layers`. Raises OSError."""
    known = {layer.digest.removeprefix("sha256:") for layer in layers}
    for path in (layout / "blobs/sha256").iterdir():
        if path.name not in known:
            path.unlink()
