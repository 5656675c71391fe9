"""The image: layers of what was packed, small files, labels; the push (seed-image-and-gitops.md B.11)."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from pathlib import Path

from agent.node.seed.archiving import read_layers
from hostops.oci import Layer, remove_unknown_blobs, write_layer
from hostops.oci import write_image as write_oci_image
from hostops.runner import CommandError, Runner
from hostops.skopeo import Skopeo
from seeds import format as seed_format
from seeds.format import SeedFormatError, make_labels

logger = logging.getLogger(__name__)

_PAUSES_SECONDS = (5.0, 10.0, 30.0, 60.0, None)
_REFUSED = re.compile(r"unauthorized|authentication required|denied|invalid reference format", re.IGNORECASE)
_ARCHIVES = (seed_format.OSTREE_ARCHIVE, seed_format.VAR_ARCHIVE, seed_format.ETC_ARCHIVE)
_SMALL = (
    *(seed_format.DEPLOYMENTS, seed_format.MACHINE_CONFIG, seed_format.ETC_DELETIONS),
    *(seed_format.IMAGE_LIST, seed_format.MANIFEST, seed_format.PROGRAM),
)


def write_image(backup: Path, layout: Path) -> str:
    """Complete the layout from the packed archives and the files in `backup`; return the image's digest.

    Repeatable. Raises OSError, SeedFormatError.
    """
    layers = read_layers(backup)
    remove_unknown_blobs(layout, layers)
    origins = sorted(path.name for path in backup.glob("ostree-*.origin"))
    small = (*_SMALL, *origins)
    packed = {layer.name for layer in layers}
    missing = [name for name in _ARCHIVES if name not in packed] + [n for n in small if not (backup / n).is_file()]
    if missing or not origins:
        raise SeedFormatError(f"not written by an earlier step: {', '.join(missing) or 'the origin file'}")
    layers += [_write_small(layout, backup / name) for name in small]
    labels = make_labels((backup / seed_format.MANIFEST).read_text())
    return write_oci_image(layout, layers, labels, author="lca-node seed create")


def _write_small(layout: Path, source: Path) -> Layer:
    with write_layer(layout, source.name, source.stat().st_mode & 0o777) as file, source.open("rb") as content:
        while chunk := content.read(1024**2):
            file.sink.write(chunk)
    return file.layer


def push_image(host: Runner, layout: str, image: str, authfile: str, pause: Callable[[float], None]) -> None:
    """Push the image of the layout at a host path; trouble on the way is outlasted, a refusal is not.

    Raises CommandError.
    """
    skopeo = Skopeo(host)
    for seconds in _PAUSES_SECONDS:
        try:
            return skopeo.push_layout(layout, image, authfile)
        except CommandError as error:
            if seconds is None or _REFUSED.search(error.output):
                raise
            logger.warning("next attempt to push in %g s: %s", seconds, error)
            pause(seconds)
    raise AssertionError("the last attempt returns or raises")
