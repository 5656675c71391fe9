"""What the builder has done already, on the host's disk (seed-image-and-gitops.md B.2)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from agent.node.seed.places import CHECKS
from hostops import files
from hostops.bootid import read_boot_id
from hostops.hostroot import HostRoot

_BOOT = "boot-id"
RECERT = "recert"
RECERT_STARTED = "recert.started"


class Markers:
    """The markers below `CHECKS`. All methods raise OSError."""

    def __init__(self, root: HostRoot) -> None:
        self._root = root
        self._folder = root.path(CHECKS)

    def begin(self) -> bool:
        """Make the folder; return False when it is from another boot, in which the archives may not have survived."""
        files.make_directory(self._folder, 0o700)
        boot, file = read_boot_id(self._root), self._folder / _BOOT
        if not file.exists():
            files.write_atomically(file, boot)
        return file.read_text() == boot

    @contextlib.contextmanager
    def once(self, name: str) -> Iterator[bool]:
        """See `hostops.files.once`."""
        with files.once(self._folder, name) as todo:
            yield todo

    def start_recert(self) -> None:
        """Note that the cluster's certificates are about to change."""
        files.write_atomically(self._folder / RECERT_STARTED, b"")

    def is_recert_to_undo(self) -> bool:
        """Whether the certificates have been changed, or were being changed when the builder died."""
        return any((self._folder / name).exists() for name in (RECERT_STARTED, f"{RECERT}.done"))

    def forget_recert(self) -> None:
        """Note that the certificates are usable again."""
        for name in (f"{RECERT}.done", RECERT_STARTED):
            files.remove_durably(self._folder / name)
