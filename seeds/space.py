"""Is there room for a seed image? Estimates from the size of its compressed layers, before anything is pulled.

The image consists of archives that do not shrink further: the container storage takes it as it is, `/var/tmp` takes the
unpacked ostree repository, and `/sysroot` takes that repository (as links, if it is the same file system) and the
unpacked `/var` and `/etc`.
"""

from __future__ import annotations

from collections.abc import Mapping

from hostops.diskspace import DiskSpace
from seeds.compat import Problem, Severity

BOOT_BYTES = 200 * 1024**2
"""Kernel and initial file system of one more release."""

# Place -> (what it takes at the very least, what it is expected to take), in compressed image sizes.
_SHARES = {"/var/lib/containers": (1.0, 1.1), "/var/tmp": (0.5, 2.0), "/sysroot": (0.0, 1.0)}  # noqa: S108
_GIB = 1024**3


def check_space(compressed_bytes: int, places: Mapping[str, DiskSpace]) -> list[Problem]:
    """Compare the room at `/var/lib/containers`, `/var/tmp`, `/sysroot` and `/boot` with what the seed needs.

    Places on one file system share its room. Less than the minimum is an error, less than the estimate a warning.
    An unknown size (0) leaves only `/boot` to be compared; places that are missing are not.
    """
    needs = {
        place: (int(compressed_bytes * low), int(compressed_bytes * high)) for place, (low, high) in _SHARES.items()
    }
    needs["/boot"] = (0, BOOT_BYTES)
    problems = []
    for device in dict.fromkeys(space.device for space in places.values()):
        shared = [place for place in needs if place in places and places[place].device == device]
        if not shared:
            continue
        minimum = sum(needs[place][0] for place in shared)
        estimate = sum(needs[place][1] for place in shared)
        available = places[shared[0]].available_bytes
        if available < estimate:
            severity = Severity.ERROR if available < minimum else Severity.WARNING
            problems.append(Problem(severity, _describe(shared, estimate, available)))
    return problems


def _describe(places: list[str], needed: int, available: int) -> str:
    return (
        f"not enough space for the seed image in {', '.join(places)}: about {_size(needed)} needed, "
        f"{_size(available)} available; free {_size(needed - available)} or enlarge the file system"
    )


def _size(size: int) -> str:
    return f"{size} bytes ({size / _GIB:.1f} GiB)"
