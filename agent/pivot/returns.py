"""Coming back: the node was rebooted in order to leave this stateroot, and is booted into it again.

What `hostops.reboot` notes before it asks for a reboot stays on the disk of the stateroot that was to be left. Found by
a later boot, it tells that the node has been asked to leave, whatever else is lost.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from hostops import files
from hostops.bootid import read_boot_id
from hostops.hostroot import HostRoot
from hostops.reboot import MARK

UPGRADE, ROLLBACK = "upgrade", "rollback"
"""Rationales of reboots that leave a stateroot."""


@dataclass(frozen=True, slots=True)
class Departure:
    """A reboot that was asked for in an earlier boot of this stateroot: which boot, why, and when."""

    boot_id: str
    rationale: str
    requested_at: datetime


def find_departure(root: HostRoot) -> Departure | None:
    """Return the last departure of the booted stateroot; None also for one that has yet to happen. Raises OSError."""
    departure = read_request(root)
    return None if departure is None or departure.boot_id == read_boot_id(root) else departure


def read_request(root: HostRoot) -> Departure | None:
    """Return the last reboot that was asked for in this stateroot, in whichever boot. Raises OSError."""
    try:
        mark = files.read_json(root.path(MARK))
        requested_at = datetime.fromisoformat(str(mark["requestedAt"]))
        return Departure(str(mark["bootId"]), str(mark["rationale"]), requested_at)
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None


def forget_departure(root: HostRoot) -> None:
    """Forget it: something new begins, for which it means nothing. A reboot of this boot is not forgotten.

    Raises OSError.
    """
    if find_departure(root) is not None:
        files.remove_durably(root.path(MARK))
