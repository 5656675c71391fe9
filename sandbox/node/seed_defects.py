"""Defects that a seed image can be made with, to try what the agent says about them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from seeds import format as seed_format
from seeds.format import SeedClusterInfo


@dataclass
class SeedParts:
    """What goes into the image, before it is packed: a folder of files and the labels' sources."""

    folder: Path
    info: SeedClusterInfo
    labels: dict[str, str]


def _break_labels(parts: SeedParts) -> None:
    parts.labels.clear()


def _break_format(parts: SeedParts) -> None:
    parts.labels[seed_format.FORMAT_LABEL] = "3"


def _break_info(**changes: object) -> Callable[[SeedParts], None]:
    def apply(parts: SeedParts) -> None:
        text = replace(parts.info, **changes).dump()  # type: ignore[arg-type]
        (parts.folder / seed_format.MANIFEST).write_text(text)
        parts.labels[seed_format.INFO_LABEL] = text

    return apply


def _break_archive(parts: SeedParts) -> None:
    path = parts.folder / seed_format.OSTREE_ARCHIVE
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _break_deployments(parts: SeedParts) -> None:
    (parts.folder / seed_format.DEPLOYMENTS).write_text('{"deployments":[]}')


def _break_images(parts: SeedParts) -> None:
    path = parts.folder / seed_format.IMAGE_LIST
    path.write_text(path.read_text() + "\n" + path.read_text().splitlines()[0].rpartition(":")[0] + ":missing")


def _break_units(parts: SeedParts) -> None:
    (parts.folder / seed_format.ETC_DELETIONS).write_text("/etc/systemd/system/installation-configuration.service\n")


BROKEN: dict[str, tuple[str, Callable[[SeedParts], None]]] = {
    "no-label": ("the image has no labels", _break_labels),
    "wrong-format": ("the label names format 3", _break_format),
    "wrong-version": ("label and manifest name another release", _break_info(version="4.99.0")),
    "proxy": ("the seed cluster had a proxy", _break_info(has_proxy=True)),
    "fips": ("the seed cluster had FIPS enabled", _break_info(has_fips=True)),
    "storage": ("container storage was another device", _break_info(container_storage_target="/dev/other")),
    "corrupt-ostree": ("ostree.tgz is cut in half", _break_archive),
    "no-deployment": ("rpm-ostree.json lists no deployment", _break_deployments),
    "missing-image": ("an image to pull ahead does not exist", _break_images),
    "no-post-pivot": ("the unit that configures the node after the pivot is missing", _break_units),
}
