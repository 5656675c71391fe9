"""Is there room for a seed image? Estimates from the size of its compressed layers, before anything is pulled.

The image consists of archives that do not shrink further. While it is pulled, `/var/tmp` holds its layers; the
container storage keeps it; then `/sysroot` takes the unpacked ostree repository, `/var` and `/etc`.
"""

from __future__ import annotations

from collections.abc import Mapping

from hostops.diskspace import DiskSpace
from seeds.compat import Problem, Severity

BOOT_BYTES = 200 * 1024**2
"""Kernel and initial file system of one more release."""

_GIB = 1024**3
_STORAGE, _TEMPORARY, _SYSROOT, _BOOT = "/var/lib/containers", "/var/tmp", "/sysroot", "/boot"  # noqa: S108
# Place -> what it takes at the very least and what it is expected to take, in compressed image sizes.
_SHARES = {_STORAGE: (1.0, 1.1), _TEMPORARY: (0.5, 1.0), _SYSROOT: (0.5, 2.5), _BOOT: (0.0, 0.0)}
# What is filled at the same time: during the pull, and during the deployment.
_MOMENTS = ((_STORAGE, _TEMPORARY), (_STORAGE, _SYSROOT, _BOOT))


def check_space(compressed_bytes: int, places: Mapping[str, DiskSpace]) -> list[Problem]:
    """Compare the room at `/var/lib/containers`, `/var/tmp`, `/sysroot` and `/boot` with what the seed needs.

    Places on one file system share its room. Less than the minimum is an error, less than the estimate a warning.
    An unknown size (0) leaves only `/boot` to be compared; places that are missing are not.
    """
    problems = []
    for device in dict.fromkeys(space.device for space in places.values()):
        shared = [place for place in _SHARES if place in places and places[place].device == device]
        if not shared:
            continue
        minimum, estimate = (_need(compressed_bytes, shared, level) for level in (0, 1))
        available = places[shared[0]].available_bytes
        if available < estimate:
            severity = Severity.ERROR if available < minimum else Severity.WARNING
            problems.append(Problem(severity, _describe(shared, estimate, available)))
    return problems


def _need(compressed_bytes: int, shared: list[str], level: int) -> int:
    def need_at(place: str) -> int:
        return int(compressed_bytes * _SHARES[place][level]) + (BOOT_BYTES if place == _BOOT and level else 0)

    return max(sum(need_at(place) for place in moment if place in shared) for moment in _MOMENTS)


def _describe(places: list[str], needed: int, available: int) -> str:
    return (
        f"not enough space for the seed image in {', '.join(places)}: about {_size(needed)} needed, "
        f"{_size(available)} available; free {_size(needed - available)} or enlarge the file system"
    )


def _size(size: int) -> str:
    return f"{size} bytes ({size / _GIB:.1f} GiB)"
