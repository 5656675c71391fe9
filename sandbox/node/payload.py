"""Images that a node pulls; each is a few bytes, since a sandbox does not unpack images."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path

from hostops.runner import Runner
from sandbox.node.oci import push_image

RECERT = "edge-infrastructure/recert:v0"
_PUBLISHED = "recert-published"


def push_payload(runner: Runner, folder: Path, references: Iterable[str]) -> list[str]:
    """Push an image for each pull spec; return them. `folder` is for temporary files. Raises OSError, CommandError."""
    pushed = []
    for reference in references:
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            files = Path(scratch) / "files"
            files.mkdir()
            (files / "name").write_text(f"{reference}\n")
            push_image(runner, Path(scratch) / "layout", files, reference)
        pushed.append(reference)
    return pushed


def publish_recert(runner: Runner, folder: Path, registry_port: int) -> None:
    """Push recert to the registry of the sandbox in `folder`, once. Raises OSError, CommandError."""
    marker = folder / "outside" / _PUBLISHED
    if not marker.exists():
        push_payload(runner, folder, [f"127.0.0.1:{registry_port}/{RECERT}"])
        marker.touch()
