"""Who has the last word on an upgrade: the operator that completes it, or a program that rolls back.

Both decide under one lock. A completed upgrade leaves a mark in its stateroot that survives a reboot, so that a
watchdog that could not be stopped lets go of it; a requested reboot, in turn, keeps the operator from completing.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from hostops import files
from hostops.hostroot import HostRoot
from hostops.locks import hold_lock

STATE_DIRECTORY = "/var/lib/lca"
MARK = f"{STATE_DIRECTORY}/upgrade_completed"
LOCK = f"{STATE_DIRECTORY}/pivot.lock"


@contextlib.contextmanager
def hold_verdict(root: HostRoot) -> Iterator[None]:
    """Hold the lock under which an upgrade is completed or rolled back. Raises OSError."""
    files.make_directory(root.path(STATE_DIRECTORY), 0o700)
    with hold_lock(root.path(LOCK)):
        yield


def mark_completed(root: HostRoot) -> None:
    """Note durably that the upgrade into the booted stateroot is complete. Raises OSError."""
    files.write_atomically(root.path(MARK), b"")


def is_completed(root: HostRoot) -> bool:
    """Say whether the upgrade into the booted stateroot is complete."""
    return root.path(MARK).exists()


def remove_completion_mark(root: HostRoot) -> None:
    """Forget the completion; absence is fine. Raises OSError."""
    files.remove_durably(root.path(MARK))
