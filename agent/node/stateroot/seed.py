"""The mounted seed image: every file the setup needs, read and judged before the host is changed."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from hostops.ostree import KernelArguments
from seeds import format as seed_format
from seeds.compat import describe_version_mismatch
from seeds.deployment import SeedDeployment, read_booted_deployment, read_deletions, read_kernel_arguments
from seeds.format import SeedClusterInfo, SeedFormatError


@dataclass(frozen=True, slots=True)
class Seed:
    """What the seed image asks for. `folder` is the host path of its root."""

    folder: str
    deployment: SeedDeployment
    kernel_arguments: KernelArguments
    deletions: tuple[PurePosixPath, ...]

    def file(self, name: str) -> str:
        """Return the host path of a file in the image."""
        return f"{self.folder}/{name}"


def read_seed(folder: str, visible: Path, version: str) -> Seed:
    """Read the seed image mounted at the host path `folder`, which this process sees at `visible`.

    `etc.deletions` may be missing. Raises SeedFormatError for missing or damaged files and for a seed of another
    release than `version`.
    """
    deployment = read_booted_deployment(_read(visible, seed_format.DEPLOYMENTS))
    try:
        info = SeedClusterInfo.parse(_read(visible, seed_format.MANIFEST))
    except SeedFormatError as error:
        raise SeedFormatError(
            f"failed to get version from ClusterInfo: failed to read and decode ClusterInfo file: {error}"
        ) from None
    if info.version != version:
        raise SeedFormatError(describe_version_mismatch(info.version, version))
    archives = (seed_format.OSTREE_ARCHIVE, seed_format.VAR_ARCHIVE, seed_format.ETC_ARCHIVE, seed_format.IMAGE_LIST)
    missing = [name for name in (*archives, deployment.origin_file) if not (visible / name).is_file()]
    if missing:
        raise SeedFormatError(f"seed image lacks {', '.join(missing)}; build it again")
    deletions = visible / seed_format.ETC_DELETIONS
    return Seed(
        folder=folder,
        deployment=deployment,
        kernel_arguments=read_kernel_arguments(_read(visible, seed_format.MACHINE_CONFIG), version),
        # A file name is any bytes but a line break.
        deletions=tuple(read_deletions(os.fsdecode(deletions.read_bytes()))) if deletions.is_file() else (),
    )


def _read(visible: Path, name: str) -> bytes:
    try:
        return (visible / name).read_bytes()
    except OSError as error:
        raise SeedFormatError(f"seed image lacks {name} ({error.strerror}); build it again") from error
