"""Is there room to make a seed image? From the size of what is packed (seed-image-and-gitops.md I.9)."""

from __future__ import annotations

from dataclasses import dataclass

from hostops.runner import CommandError, Runner
from seeds.creation.archives import pack_repository, pack_var

PLACE = "/var/tmp"  # noqa: S108 - where the image is built
_PACKED_SHARE = 0.6
"""Share of its size that an operating system has when it is packed, generously."""

_GIB = 1024**3


@dataclass(frozen=True, slots=True)
class ContentSize:
    """Bytes on the disk of what goes into the two large archives."""

    var_bytes: int
    repository_bytes: int

    @property
    def needed_bytes(self) -> int:
        """Room that the image takes, about."""
        return int((self.var_bytes + self.repository_bytes) * _PACKED_SHARE)


def measure_content(runner: Runner) -> ContentSize:
    """Add up what will be packed. Raises CommandError."""
    var, repository = pack_var(()), pack_repository()
    excludes = [
        f"--exclude=/{pattern}" if pattern.startswith("var") else f"--exclude={pattern}" for pattern in var.excludes
    ]
    return ContentSize(_add_up(runner, *excludes, "/var"), _add_up(runner, repository.folder))


def describe_shortage(size: ContentSize, available_bytes: int) -> str | None:
    """Return what to do when the image does not fit into `PLACE`, else None."""
    needed = size.needed_bytes
    if available_bytes >= needed:
        return None
    return (
        f"not enough space in {PLACE} for the seed image: about {needed / _GIB:.1f} GiB needed, "
        f"{available_bytes / _GIB:.1f} GiB available; remove files there or enlarge the file system"
    )


def _add_up(runner: Runner, *words: str) -> int:
    # Files may vanish meanwhile: du then ends with 1, and what it says is near enough.
    answer = runner.run("du", "--summarize", "--block-size=1", *words, ok=(0, 1), stdout_only=True).output
    first = answer.split(maxsplit=1)[:1]
    if not first or not first[0].isdecimal():
        raise CommandError(("du", *words), 1, answer, "it printed no size")
    return int(first[0])
