"""Small container images, written by hand as OCI layouts and pushed by skopeo: no image store is needed."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from pathlib import Path
from typing import Any

from hostops.runner import Runner

_MEDIA = "application/vnd.oci.image"


def push_image(
    runner: Runner, scratch: Path, files: Path, reference: str, labels: dict[str, str] | None = None
) -> None:
    """Push an image whose only layer holds what is in the folder `files`, to a registry without TLS.

    `scratch` is an empty folder. Raises OSError, CommandError.
    """
    write_layout(scratch, files, labels or {})
    runner.run("skopeo", "copy", "--dest-tls-verify=false", f"oci:{scratch}:image", f"docker://{reference}")


def write_layout(target: Path, files: Path, labels: dict[str, str]) -> None:
    """Write an OCI layout with the one image `image`."""
    blobs = target / "blobs/sha256"
    blobs.mkdir(parents=True)
    # The seed's archives are compressed already.
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as archive:
        for path in sorted(files.iterdir()):
            archive.add(path, arcname=path.name)
    layer = gzip.compress(plain.getvalue(), compresslevel=1, mtime=0)
    difference = f"sha256:{hashlib.sha256(plain.getvalue()).hexdigest()}"
    config = {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Labels": labels, "Env": ["PATH=/usr/local/bin:/usr/bin"]},
        "rootfs": {"type": "layers", "diff_ids": [difference]},
        "history": [{"created_by": "lca sandbox"}],
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": f"{_MEDIA}.manifest.v1+json",
        "config": _store(blobs, json.dumps(config).encode(), f"{_MEDIA}.config.v1+json"),
        "layers": [_store(blobs, layer, f"{_MEDIA}.layer.v1.tar+gzip")],
    }
    entry = _store(blobs, json.dumps(manifest).encode(), f"{_MEDIA}.manifest.v1+json")
    entry["annotations"] = {"org.opencontainers.image.ref.name": "image"}
    (target / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    (target / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [entry]}))


def _store(blobs: Path, content: bytes, media_type: str) -> dict[str, Any]:
    digest = hashlib.sha256(content).hexdigest()
    (blobs / digest).write_bytes(content)
    return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(content)}
