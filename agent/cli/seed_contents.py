"""The files of an image that does not list them itself: downloaded, and read layer by layer."""

from __future__ import annotations

import json
import tarfile
import tempfile
from pathlib import Path

from hostops.runner import HostRunner
from seeds.summary import ImageFile


def download_contents(image: str, authfile: str, *, tls_verify: bool) -> list[ImageFile]:
    """Return the files of `image` with their sizes. Raises CommandError."""
    flags = [*(("--authfile", authfile) if authfile else ()), *(() if tls_verify else ("--src-tls-verify=false",))]
    with tempfile.TemporaryDirectory(prefix="lca-seed-", dir="/var/tmp") as folder:
        HostRunner().run("skopeo", "copy", "-q", *flags, f"docker://{image}", f"dir:{folder}")
        manifest = json.loads((Path(folder) / "manifest.json").read_text())
        blobs = [Path(folder) / layer["digest"].partition(":")[2] for layer in manifest["layers"]]
        return [file for blob in blobs for file in _list_layer(blob)]


def _list_layer(blob: Path) -> list[ImageFile]:
    with tarfile.open(blob, mode="r|*") as archive:
        return [ImageFile(member.name.removeprefix("./"), member.size) for member in archive if member.isfile()]
